use std::sync::Arc;

use backplane::{Change, Condition, Error, Value, check_bound, check_changes, check_name};
use tokio::{
    sync::mpsc,
    time::{Duration, Instant, sleep},
};

use crate::{
    feed::age,
    link::{DEADLINE, Link, Outgoing, PublishError},
    log::content,
    names::random,
};

use frame::{Body, Decision, Record, Written};
use listing::Listings;
use tidy::Chore;

mod frame;
mod listing;
mod tidy;
mod transaction;

/// Key-value buckets: a key's value is the last message of its subject, a revision is that message's sequence.
pub(crate) struct Buckets {
    link: Arc<Link>,
    listings: Listings,
    chores: mpsc::Sender<Chore>,
}

/// A key as it is, with no transaction pending.
#[derive(Clone, Debug)]
struct Seen {
    /// Of the subject's last message; 0: it has none.
    sequence: u64,
    value: Option<Value>,
}

/// A message for a key's subject.
struct Put {
    subject: String,
    payload: bytes::Bytes,
    /// As in the payload.
    write: u64,
    /// Of this write and no other.
    id: String,
    /// The subject's last message; `None`: whatever it is.
    expected: Option<u64>,
}

impl Seen {
    fn satisfies(&self, condition: Condition) -> bool {
        match condition {
            Condition::Always => true,
            Condition::Absent => self.value.is_none(),
            Condition::Revision(revision) => self
                .value
                .as_ref()
                .is_some_and(|value| value.revision == revision),
        }
    }
}

impl Buckets {
    pub(crate) fn new(link: Arc<Link>) -> Arc<Self> {
        let (chores, waiting) = mpsc::channel(tidy::CHORES_MAX);
        let buckets = Arc::new(Self {
            listings: Listings::default(),
            chores,
            link,
        });
        buckets
            .link
            .handle
            .spawn(tidy::tidy(Arc::downgrade(&buckets), waiting));
        buckets
    }

    pub(crate) async fn get(&self, bucket: &str, key: &str) -> Result<Option<Value>, Error> {
        check_name("bucket", bucket)?;
        check_name("key", key)?;
        Ok(self.seen(bucket, key).await?.value)
    }

    pub(crate) async fn write(&self, bucket: &str, changes: Vec<Change>) -> Result<Vec<u64>, Error> {
        check_name("bucket", bucket)?;
        check_changes(&changes)?;
        let revisions = match changes.as_slice() {
            [] => return Ok(Vec::new()),
            [change] => vec![self.change(bucket, change).await?],
            changes => self.transact(bucket, changes).await?,
        };
        self.listings.written(bucket, &changes);
        Ok(revisions)
    }

    pub(crate) async fn keys(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        keys_max: usize,
    ) -> Result<Vec<String>, Error> {
        check_name("bucket", bucket)?;
        check_bound("prefix", prefix)?;
        after.map_or(Ok(()), |after| check_bound("after", after))?;
        listing::keys(self, bucket, prefix, after, keys_max).await
    }

    /// One key. The revision given is tried as the sequence it mostly is; only if that fails the key is read.
    async fn change(&self, bucket: &str, change: &Change) -> Result<u64, Error> {
        let deadline = Instant::now() + DEADLINE;
        let write = random();
        let conflict = || Error::Conflict {
            key: change.key.clone(),
        };
        let mut expected = match change.condition {
            Condition::Always if self.link.fences => None,
            // What is written blindly would be lost under a writer that saw what was before.
            Condition::Always => Some(self.seen(bucket, &change.key).await?.sequence),
            Condition::Absent => Some(0),
            Condition::Revision(0) => return Err(conflict()),
            Condition::Revision(revision) => Some(revision),
        };
        for attempt in 0..ATTEMPTS_MAX {
            let put = Put {
                subject: self.link.names.kv_key(bucket, &change.key),
                payload: record(bucket, &change.key, write, change.value.as_ref()),
                write,
                id: format!("{write:016x}.{attempt}"),
                expected,
            };
            match self.put(bucket, &change.key, put, deadline).await {
                Ok(sequence) => {
                    if change.value.is_none() {
                        self.purge_later(self.link.names.kv_key(bucket, &change.key), sequence);
                    }
                    return Ok(sequence);
                }
                Err(PublishError::Unavailable(error)) => return Err(error),
                Err(PublishError::WrongLast { .. }) => {}
            }
            let seen = self.seen(bucket, &change.key).await?;
            if !seen.satisfies(change.condition) {
                return Err(conflict());
            }
            expected = Some(seen.sequence);
        }
        Err(Error::Unavailable(format!(
            "key {:?} changes faster than it can be written",
            change.key
        )))
    }

    /// Stores a key's next message. `WrongLast`: it certainly is not stored.
    async fn put(&self, bucket: &str, key: &str, put: Put, deadline: Instant) -> Result<u64, PublishError> {
        // One id for all writers of one revision: the server takes one of them, as it looks for ids when it stores.
        // (That a subject is empty it looks for then as well.)
        let shared = put.expected.filter(|expected| *expected > 0);
        let id = shared.map_or(put.id, |expected| format!("{}:{expected}", put.subject));
        let message = Outgoing {
            subject: put.subject,
            payload: put.payload,
            id,
            expected: put.expected,
        };
        match self.link.publish(&message, deadline).await {
            Ok(stored) if stored.duplicate && shared.is_some() => {
                let names = &self.link.names;
                let stream = names.kv_stream(names.partition(bucket));
                let found = content::message(&self.link, &stream, stored.sequence).await;
                match found.map_err(PublishError::Unavailable)?.and_then(Record::decode) {
                    Some(record) if record.write() == put.write => Ok(stored.sequence),
                    None if stored.retried => Err(PublishError::Unavailable(unknown(key))),
                    _ => Err(PublishError::WrongLast {
                        retried: stored.retried,
                    }),
                }
            }
            Ok(stored) => Ok(stored.sequence),
            Err(PublishError::WrongLast { retried: true }) => {
                let last = self.last(bucket, key).await.map_err(PublishError::Unavailable)?;
                match last {
                    Some((sequence, record, _)) if record.write() == put.write => Ok(sequence),
                    _ => Err(PublishError::WrongLast { retried: true }),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Where `write`'s message is, if it is the key's last.
    async fn is_last(&self, bucket: &str, key: &str, write: u64) -> Result<Option<u64>, Error> {
        let last = self.last(bucket, key).await?;
        Ok(last.and_then(|(sequence, record, _)| (record.write() == write).then_some(sequence)))
    }

    /// A key's last message, and how old it is.
    async fn last(&self, bucket: &str, key: &str) -> Result<Option<(u64, Record, Duration)>, Error> {
        let names = &self.link.names;
        let stream = names.kv_stream(names.partition(bucket));
        let Some(message) = self.link.last(&stream, &names.kv_key(bucket, key)).await? else {
            return Ok(None);
        };
        let old = age(message.time.unix_timestamp_nanos());
        let record =
            Record::decode(message.payload).filter(|record| record.bucket == bucket && record.key == key);
        let strange = || Error::Unavailable(format!("key {key:?} holds what no node of this version wrote"));
        Ok(Some((message.sequence, record.ok_or_else(strange)?, old)))
    }

    /// A key as it is. Whoever meets an intent brings its transaction to an end: what was decided is done; what is
    /// undecided for long is aborted, since who began it is gone.
    async fn seen(&self, bucket: &str, key: &str) -> Result<Seen, Error> {
        let began = Instant::now();
        loop {
            let Some((sequence, record, old)) = self.last(bucket, key).await? else {
                return Ok(Seen {
                    sequence: 0,
                    value: None,
                });
            };
            let intent = match record.body {
                Body::Tombstone { .. } => {
                    return Ok(Seen {
                        sequence,
                        value: None,
                    });
                }
                Body::Value(Written { restored, bytes, .. }) => {
                    let revision = restored.unwrap_or(sequence);
                    return Ok(Seen {
                        sequence,
                        value: Some(Value { bytes, revision }),
                    });
                }
                Body::Intent(intent) => intent,
            };
            match self.decision(bucket, intent.transaction).await? {
                Some(decision) => {
                    self.settle(bucket, key, sequence, &intent, decision.committed)
                        .await?;
                    // The record of an abort stays: who began it may only have been slow, and must find it.
                    if decision.committed && old > UNDECIDED_MAX {
                        self.chore(Chore::Finish {
                            bucket: bucket.to_owned(),
                            transaction: intent.transaction,
                            keys: decision.keys,
                        });
                    }
                }
                None if old > UNDECIDED_MAX || began.elapsed() > UNDECIDED_MAX => {
                    let keys = vec![key.to_owned()];
                    let abort = Decision {
                        committed: false,
                        keys,
                    };
                    self.decide(bucket, intent.transaction, &abort).await?;
                }
                None if began.elapsed() > DEADLINE => {
                    return Err(Error::Unavailable(format!("key {key:?} is being written")));
                }
                None => sleep(UNDECIDED_PAUSE).await,
            }
        }
    }

    fn purge_later(&self, subject: String, sequence: u64) {
        self.chore(Chore::Purge { subject, sequence });
    }

    /// Dropped if there are too many: what stays behind costs memory of the server, nothing else.
    fn chore(&self, chore: Chore) {
        drop(self.chores.try_send(chore));
    }
}

/// The answer was lost, and what was stored has been overwritten since: by us or over us.
fn unknown(key: &str) -> Error {
    Error::Unavailable(format!(
        "key {key:?} was written by someone, perhaps by this call"
    ))
}

fn record(bucket: &str, key: &str, write: u64, value: Option<&bytes::Bytes>) -> bytes::Bytes {
    let body = match value {
        Some(bytes) => Body::Value(Written {
            write,
            restored: None,
            bytes: bytes.clone(),
        }),
        None => Body::Tombstone { write },
    };
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    Record { bucket, key, body }.encode()
}

/// Of one change whose condition holds every time it is looked at, and then no longer.
const ATTEMPTS_MAX: usize = 32;
/// A transaction is decided within milliseconds, unless its node died.
const UNDECIDED_MAX: Duration = Duration::from_secs(5);
const UNDECIDED_PAUSE: Duration = Duration::from_millis(20);
