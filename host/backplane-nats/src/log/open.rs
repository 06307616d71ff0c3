use std::sync::Arc;

use async_nats::jetstream::consumer::DeliverPolicy;
use backplane::Error;
use router::Epoch;

use super::{
    Logs,
    app::App,
    content::{Content, content},
    epoch,
    frame::{end_of, offset},
    kept::{Entry, Kept, since},
    partition::{Partition, Reached},
    reader,
};
use crate::feed::{Fed, Feed};

/// Makes this node keep an app's entries, and fetches those that are there already.
pub(super) async fn open(logs: &Arc<Logs>, app: &Arc<App>) -> Result<(), Error> {
    let partition = logs.partition(app);
    partition
        .started
        .get_or_try_init(|| start(logs, &partition))
        .await?;
    for _ in 0..ATTEMPTS {
        let (began, begun) = partition.begin(app);
        let mut older = stored(logs, &partition, app, began).await?;
        // Asked afterwards: what is before it may have left while we read.
        let first = epoch::learn(logs, partition.number).await?.first;
        if first > 1 {
            older.incomplete_before(end_of(first - 1).min(end_of(began)));
        }
        if app.fill(begun, older, end_of(began)) {
            return Ok(());
        }
    }
    Err(Error::Unavailable(
        "the log changes faster than it can be read".into(),
    ))
}

/// Begins to read, from the end.
pub(super) async fn start(logs: &Arc<Logs>, partition: &Arc<Partition>) -> Result<(), Error> {
    let found = epoch::learn(logs, partition.number).await?;
    partition.is_made_anew(&found);
    partition.start_at(Reached {
        epoch: found.epoch,
        sequence: found.last,
    });
    logs.link
        .logs()
        .handle
        .spawn(reader::read(Arc::clone(logs), Arc::clone(partition)));
    Ok(())
}

/// The app's entries up to the message `until`, as many as its window holds.
async fn stored(logs: &Logs, partition: &Partition, app: &App, until: u64) -> Result<Kept, Error> {
    let mut kept = Kept::new(app.window());
    let link = &logs.link;
    let Some(last) = link.last(&partition.stream, &app.subject).await? else {
        return Ok(kept);
    };
    kept.reset(Epoch(0), 0);
    let unavailable = |error: crate::feed::FeedError| Error::Unavailable(error.to_string());
    let start = DeliverPolicy::All;
    let feed = Feed::open(
        &link.data.jetstream,
        &partition.stream,
        start,
        app.subject.clone(),
    )
    .await;
    let mut feed = feed.map_err(unavailable)?;
    loop {
        let message = match feed.next().await.map_err(unavailable)? {
            Fed::Message(message) if message.sequence <= until => message,
            Fed::Message(_) => return Ok(kept),
            // The last one has left the stream meanwhile; a replica that is behind would have more to come.
            Fed::Idle
                if link
                    .last(&partition.stream, &app.subject)
                    .await?
                    .is_none_or(|now| now.sequence != last.sequence) =>
            {
                return Ok(kept);
            }
            Fed::Idle => continue,
        };
        match content(link, &partition.stream, &app.name, message.payload).await? {
            Content::Entries { deliveries, .. } => {
                for (index, delivery) in deliveries.into_iter().enumerate() {
                    let Some(delivery) = delivery else { continue };
                    kept.push(Entry {
                        offset: offset(message.sequence, index),
                        at: since(message.age),
                        delivery,
                    });
                }
            }
            Content::Missing => kept.reset(Epoch(0), end_of(message.sequence)),
        }
        if message.sequence >= last.sequence {
            return Ok(kept);
        }
    }
}

/// Each is undone only by a gap in the partition.
const ATTEMPTS: usize = 3;
