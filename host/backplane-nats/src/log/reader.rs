use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::consumer::DeliverPolicy;
use tokio::time::sleep;

use super::{
    Logs,
    content::{Content, content},
    epoch,
    partition::{Handed, Partition, Reached},
};
use crate::{
    feed::{Fed, FedMessage, Feed},
    names::random,
    stats::count,
};

/// Reads a partition for as long as the node lives: one consumer, made anew from where it was after any trouble.
pub(super) async fn read(logs: Arc<Logs>, partition: Arc<Partition>) {
    let mut failures = 0u32;
    loop {
        let began = Instant::now();
        let Err(trouble) = session(&logs, &partition).await;
        failures = if began.elapsed() > STEADY { 0 } else { failures + 1 };
        tracing::info!(partition = partition.number, %trouble, "nats: reading the log anew");
        // Spread, since every partition of every node has the same trouble.
        let most = 100 << failures.min(2);
        sleep(Duration::from_millis(most / 4 + random() % most)).await;
    }
}

async fn session(logs: &Logs, partition: &Partition) -> Result<Infallible, String> {
    let lane = logs.link.logs();
    let mut returned = lane.returned.clone();
    returned.mark_unchanged();
    while !logs.link.is_connected() {
        sleep(Duration::from_millis(50)).await;
    }
    compare(logs, partition).await?;
    let start = DeliverPolicy::ByStartSequence {
        start_sequence: partition.reached().sequence + 1,
    };
    let feed = Feed::open(&lane.jetstream, &partition.stream, start, String::new()).await;
    let mut feed = feed.map_err(|error| error.to_string())?;
    let mut told = (Instant::now(), partition.reached().sequence);
    loop {
        let fed = tokio::select! {
            fed = feed.next() => fed.map_err(|error| error.to_string())?,
            _ = returned.changed() => return Err("connected again".into()),
        };
        if let Fed::Message(message) = fed {
            take(logs, partition, message).await?;
        }
        let (at, sequence) = told;
        if at.elapsed() > TELL_EVERY {
            let reached = partition.reached().sequence;
            if reached > sequence {
                partition.apps().iter().for_each(|app| app.passed(reached));
            }
            told = (Instant::now(), reached);
        }
    }
}

/// Whether the stream still is the one that was read, and has what comes next.
async fn compare(logs: &Logs, partition: &Partition) -> Result<(), String> {
    let was = partition.reached();
    let mut found = epoch::learn(logs, partition.number)
        .await
        .map_err(|error| error.to_string())?;
    let began = Instant::now();
    // A new leader may not have applied all it has: only if it stays behind, the log has been lost.
    while found.epoch == was.epoch && found.last < was.sequence && began.elapsed() < LEADER_SETTLES {
        sleep(LEADER_SETTLES / 8).await;
        found = epoch::learn(logs, partition.number)
            .await
            .map_err(|error| error.to_string())?;
    }
    if found.epoch == was.epoch && found.last < was.sequence {
        let changed = epoch::change(logs, partition.number, &found).await;
        found = changed.map_err(|error| error.to_string())?;
    }
    let anew = partition.is_made_anew(&found);
    let missed_to = if found.epoch != was.epoch && anew {
        // What others have appended to it since is missed by nobody.
        found.first.saturating_sub(1)
    } else if found.epoch != was.epoch {
        found.last
    } else if found.first > was.sequence + 1 {
        found.first - 1
    } else {
        return Ok(());
    };
    tracing::error!(
        partition = partition.number,
        missed_to,
        "nats: entries of the log are lost to this node"
    );
    count(&logs.link.counters.gaps);
    partition.gap(Reached {
        epoch: found.epoch,
        sequence: missed_to,
    });
    Ok(())
}

async fn take(logs: &Logs, partition: &Partition, message: FedMessage) -> Result<(), String> {
    if message.sequence <= partition.reached().sequence {
        return Ok(());
    }
    loop {
        let app = partition.app(&message.subject);
        let mut deliveries = None;
        let (mut missing, mut own) = (false, None);
        if let Some(app) = &app {
            let payload = message.payload.clone();
            let found = content(&logs.link, &partition.stream, &app.name, payload).await;
            match found.map_err(|error| error.to_string())? {
                Content::Entries {
                    deliveries: found,
                    write,
                } => {
                    deliveries = Some(found);
                    own = write;
                }
                Content::Missing => {
                    missing = true;
                    deliveries = Some(Vec::new());
                }
            }
        }
        match partition.hand_over(&message, deliveries.as_deref()) {
            Handed::Wanted => continue,
            Handed::AfterGap => count(&logs.link.counters.gaps),
            Handed::Done => {}
        }
        let Some(app) = app else { return Ok(()) };
        if let Some(write) = own {
            partition.found(write, message.sequence);
        }
        if missing {
            app.gap(partition.reached().epoch, message.sequence);
        }
        if !app.has_room() {
            *partition.stalled.lock() = Some(Instant::now());
            app.until_room().await;
            *partition.stalled.lock() = None;
        }
        return Ok(());
    }
}

/// A session that lasted this long was no failure.
const STEADY: Duration = Duration::from_secs(10);
/// How often tails learn where the log has come to without them.
const TELL_EVERY: Duration = Duration::from_secs(5);
const LEADER_SETTLES: Duration = Duration::from_secs(3);
