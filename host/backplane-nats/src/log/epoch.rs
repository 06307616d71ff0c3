//! Which log it is: the stream's creation, and a generation for the case that a stream lost entries and is still the
//! same to the server (a disk restored, a machine that died before it wrote). Nodes agree on it by a key.
use backplane::{Change, Condition, Error};
use bytes::Bytes;
use router::Epoch;
use sha2::{Digest, Sha256};

use super::Logs;
use crate::names::random;

/// A log as the server has it.
pub(super) struct Found {
    pub(super) epoch: Epoch,
    /// Sequences of its messages; `first` is `last + 1` if there are none.
    pub(super) first: u64,
    pub(super) last: u64,
    /// When the stream was made: another one was made at another time.
    pub(super) created_ns: i128,
    generation: u64,
    /// Of the key; 0: it is absent.
    revision: u64,
}

pub(super) async fn learn(logs: &Logs, partition: u16) -> Result<Found, Error> {
    let info = logs
        .link
        .streams
        .log_info(&logs.link.jetstream, partition)
        .await?;
    let kept = logs.buckets.get(BUCKET, &key(partition)).await?;
    let generation = kept.as_ref().and_then(|value| value.bytes.first_chunk());
    let generation = generation.map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let created_ns = info.created.unix_timestamp_nanos();
    Ok(Found {
        epoch: epoch(created_ns, generation),
        first: info.state.first_sequence,
        last: info.state.last_sequence,
        created_ns,
        generation,
        revision: kept.map_or(0, |value| value.revision),
    })
}

/// The log went back: from now on it is another, for every node. Whoever comes first decides which.
pub(super) async fn change(logs: &Logs, partition: u16, found: &Found) -> Result<Found, Error> {
    // Random, not counted: the key may be lost with the log, and no epoch may come again.
    let generation = random();
    let change = Change {
        key: key(partition),
        value: Some(Bytes::copy_from_slice(&generation.to_be_bytes())),
        condition: match found.revision {
            0 => Condition::Absent,
            revision => Condition::Revision(revision),
        },
    };
    match logs.buckets.write(BUCKET, vec![change]).await {
        Ok(_) | Err(Error::Conflict { .. }) => {
            let now = learn(logs, partition).await?;
            tracing::error!(
                partition,
                last = found.last,
                was = found.generation,
                created_ns = found.created_ns,
                "nats: a log went back; its epoch changes"
            );
            Ok(now)
        }
        Err(error) => Err(error),
    }
}

fn epoch(created_ns: i128, generation: u64) -> Epoch {
    let hash = Sha256::new()
        .chain_update(created_ns.to_be_bytes())
        .chain_update(generation.to_be_bytes())
        .finalize();
    let number = hash
        .iter()
        .take(4)
        .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    // 0 is no epoch.
    Epoch(number.max(1))
}

fn key(partition: u16) -> String {
    format!("epoch:{partition}")
}

const BUCKET: &str = "wakeline:meta";
