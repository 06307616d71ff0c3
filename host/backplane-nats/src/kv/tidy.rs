use std::sync::{Arc, Weak};

use tokio::sync::mpsc;

use super::Buckets;

/// What may be done later, or never.
pub(super) enum Chore {
    /// Removes a subject's messages up to a sequence.
    Purge { subject: String, sequence: u64 },
    /// Settles what a committed transaction whose node died left behind, and forgets it.
    Finish {
        bucket: String,
        transaction: u64,
        keys: Vec<String>,
    },
}

/// One after another, so that clearing a large bucket takes little from what others wait for.
pub(super) async fn tidy(buckets: Weak<Buckets>, mut chores: mpsc::Receiver<Chore>) {
    while let Some(chore) = chores.recv().await {
        let Some(buckets) = buckets.upgrade() else { return };
        if let Err(error) = done(&buckets, chore).await {
            tracing::debug!(%error, "nats: left behind");
        }
    }
}

async fn done(buckets: &Arc<Buckets>, chore: Chore) -> Result<(), backplane::Error> {
    match chore {
        Chore::Purge { subject, sequence } => purge(buckets, &subject, sequence).await,
        Chore::Finish {
            bucket,
            transaction,
            keys,
        } => {
            for key in keys {
                buckets.seen(&bucket, &key).await?;
            }
            let subject = buckets.link.names.kv_transaction(&bucket, transaction);
            let names = &buckets.link.names;
            let stream = names.kv_stream(names.partition(&bucket));
            match buckets.link.last(&stream, &subject).await? {
                Some(record) => purge(buckets, &subject, record.sequence).await,
                None => Ok(()),
            }
        }
    }
}

async fn purge(buckets: &Buckets, subject: &str, sequence: u64) -> Result<(), backplane::Error> {
    let link = &buckets.link;
    let Some(partition) = link.names.kv_partition(subject) else {
        return Ok(());
    };
    let stream = link.stream(&link.names.kv_stream(partition)).await?;
    let purged = stream.purge().filter(subject).sequence(sequence + 1).await;
    purged
        .map(drop)
        .map_err(|error| backplane::Error::Unavailable(error.to_string()))
}

/// Waiting at a time: a few hundred bytes each.
pub(super) const CHORES_MAX: usize = 4096;
