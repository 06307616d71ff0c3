//! Several keys, all or nothing: an intent on each key, then one record that decides, then the values.
//!
//! The record's subject has no message until somebody decides, and whoever decides expects exactly that: so there is
//! one decision, whatever dies when. An intent tells readers what the key is in either case.
use backplane::{Change, Error};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Duration, Instant, sleep};

use super::{
    Buckets, Put, Seen,
    frame::{Body, Decision, Intent, Record, Written},
    record,
};
use crate::{
    link::{DEADLINE, Outgoing, PublishError},
    names::{random, token},
};

/// What a transaction has put on its keys.
pub(super) struct Placed {
    pub(super) key: String,
    pub(super) sequence: u64,
    pub(super) intent: Intent,
}

impl Buckets {
    pub(super) async fn transact(&self, bucket: &str, changes: &[Change]) -> Result<Vec<u64>, Error> {
        for attempt in 0..ATTEMPTS_MAX {
            // Spread, so that two which met do not meet again.
            sleep(Duration::from_millis(u64::from(attempt) * (random() % 20))).await;
            let transaction = random();
            let (placed, met) = self.place(bucket, transaction, changes).await?;
            let keys = || placed.iter().map(|placed| placed.key.clone()).collect();
            let wanted = Decision {
                committed: met.is_none(),
                keys: keys(),
            };
            let decided = self.decide(bucket, transaction, &wanted).await?;
            let revisions = self
                .finish(bucket, transaction, &placed, decided.committed)
                .await?;
            match met {
                // They are in the order of keys; the caller's is another.
                None if decided.committed => return Ok(in_order(changes, &placed, &revisions)),
                Some(PublishError::Unavailable(error)) => return Err(error),
                // Somebody else was there, or took us for dead.
                _ => {}
            }
        }
        Err(Error::Unavailable(
            "the keys change faster than they can be written".into(),
        ))
    }

    /// Puts an intent on every key whose condition holds. Beside those: why one of them could not be put.
    /// A condition that does not hold is an error before anything is put.
    pub(super) async fn place(
        &self,
        bucket: &str,
        transaction: u64,
        changes: &[Change],
    ) -> Result<(Vec<Placed>, Option<PublishError>), Error> {
        let looks: Vec<_> = changes
            .iter()
            .map(|change| self.seen(bucket, &change.key))
            .collect();
        let seen: Vec<Seen> = stream::iter(looks).buffered(TOGETHER).try_collect().await?;
        if let Some((change, _)) = changes
            .iter()
            .zip(&seen)
            .find(|(change, seen)| !seen.satisfies(change.condition))
        {
            let key = change.key.clone();
            return Err(Error::Conflict { key });
        }
        let mut intents: Vec<_> = changes.iter().zip(seen).collect();
        // In the order of keys, so that of two which share several the one that comes first mostly has them all.
        intents.sort_unstable_by(|(a, _), (b, _)| a.key.cmp(&b.key));
        let deadline = Instant::now() + DEADLINE;
        let puts: Vec<_> = intents
            .into_iter()
            .map(|(change, seen)| self.place_one(bucket, transaction, change, seen, deadline))
            .collect();
        let outcomes: Vec<_> = stream::iter(puts).buffered(TOGETHER).collect().await;
        let mut placed = Vec::with_capacity(outcomes.len());
        let mut met = None;
        for outcome in outcomes {
            match outcome {
                Ok(one) => placed.push(one),
                Err(error) => met = Some(error),
            }
        }
        Ok((placed, met))
    }

    async fn place_one(
        &self,
        bucket: &str,
        transaction: u64,
        change: &Change,
        seen: Seen,
        deadline: Instant,
    ) -> Result<Placed, PublishError> {
        let key = change.key.clone();
        let intent = Intent {
            transaction,
            old: seen.value.map(|value| (value.revision, value.bytes)),
            new: change.value.clone(),
        };
        let frame = Record {
            bucket: bucket.to_owned(),
            key: key.clone(),
            body: Body::Intent(intent.clone()),
        };
        let put = Put {
            subject: self.link.names.kv_key(bucket, &key),
            payload: frame.encode(),
            write: transaction,
            id: format!("{transaction:016x}.i.{}", token(&key)),
            expected: Some(seen.sequence),
        };
        let sequence = self.put(bucket, &key, put, deadline).await?;
        Ok(Placed {
            key,
            sequence,
            intent,
        })
    }

    /// Decides, unless it has been: answers what was decided.
    pub(super) async fn decide(
        &self,
        bucket: &str,
        transaction: u64,
        wanted: &Decision,
    ) -> Result<Decision, Error> {
        let message = Outgoing {
            subject: self.link.names.kv_transaction(bucket, transaction),
            payload: wanted.encode(),
            id: format!("{transaction:016x}.d.{:016x}", random()),
            expected: Some(0),
        };
        match self.link.publish(&message, Instant::now() + DEADLINE).await {
            Ok(_) => Ok(wanted.clone()),
            Err(PublishError::Unavailable(error)) => Err(error),
            Err(PublishError::WrongLast { .. }) => {
                let found = self.decision(bucket, transaction).await?;
                found.ok_or_else(|| Error::Unavailable("a transaction's record is gone".into()))
            }
        }
    }

    pub(super) async fn decision(&self, bucket: &str, transaction: u64) -> Result<Option<Decision>, Error> {
        let names = &self.link.names;
        let stream = names.kv_stream(names.partition(bucket));
        let record = self
            .link
            .last(&stream, &names.kv_transaction(bucket, transaction))
            .await?;
        let strange =
            || Error::Unavailable("a transaction's record that no node of this version wrote".into());
        record
            .map(|message| Decision::decode(message.payload).ok_or_else(strange))
            .transpose()
    }

    /// Makes every intent what was decided, and forgets the record. Answers the keys' revisions.
    pub(super) async fn finish(
        &self,
        bucket: &str,
        transaction: u64,
        placed: &[Placed],
        committed: bool,
    ) -> Result<Vec<u64>, Error> {
        let settle = placed
            .iter()
            .map(|one| self.settle(bucket, &one.key, one.sequence, &one.intent, committed));
        let settle: Vec<_> = settle.collect();
        let revisions = stream::iter(settle).buffered(TOGETHER).try_collect().await?;
        let names = &self.link.names;
        let (subject, stream) = (
            names.kv_transaction(bucket, transaction),
            names.kv_stream(names.partition(bucket)),
        );
        if let Some(record) = self.link.last(&stream, &subject).await? {
            self.purge_later(subject, record.sequence);
        }
        Ok(revisions)
    }

    /// Makes one intent what was decided, unless that is done. Answers the key's revision: the intent's, if it has
    /// been written since.
    pub(super) async fn settle(
        &self,
        bucket: &str,
        key: &str,
        sequence: u64,
        intent: &Intent,
        committed: bool,
    ) -> Result<u64, Error> {
        let transaction = intent.transaction;
        let payload = match (committed, &intent.old) {
            (true, _) => record(bucket, key, transaction, intent.new.as_ref()),
            (false, None) => record(bucket, key, transaction, None),
            (false, Some((revision, bytes))) => {
                let body = Body::Value(Written {
                    write: transaction,
                    restored: Some(*revision),
                    bytes: bytes.clone(),
                });
                let (bucket, key) = (bucket.to_owned(), key.to_owned());
                Record { bucket, key, body }.encode()
            }
        };
        let is_removed = if committed {
            intent.new.is_none()
        } else {
            intent.old.is_none()
        };
        let put = Put {
            subject: self.link.names.kv_key(bucket, key),
            payload,
            write: transaction,
            id: format!("{transaction:016x}.s.{}", token(key)),
            expected: Some(sequence),
        };
        match self.put(bucket, key, put, Instant::now() + DEADLINE).await {
            Ok(settled) => {
                if is_removed {
                    self.purge_later(self.link.names.kv_key(bucket, key), settled);
                }
                Ok(settled)
            }
            // Done by somebody else: with the same message.
            Err(PublishError::WrongLast { .. }) => {
                let done = self.is_last(bucket, key, transaction).await?;
                Ok(done.unwrap_or(sequence))
            }
            Err(PublishError::Unavailable(error)) => Err(error),
        }
    }
}

fn in_order(changes: &[Change], placed: &[Placed], revisions: &[u64]) -> Vec<u64> {
    let revision = |change: &Change| {
        let index = placed.binary_search_by(|one| one.key.as_str().cmp(&change.key));
        index.ok().and_then(|index| revisions.get(index)).copied()
    };
    changes.iter().filter_map(revision).collect()
}

const ATTEMPTS_MAX: u32 = 8;
/// Keys at a time.
const TOGETHER: usize = 16;

#[cfg(test)]
mod tests;
