use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use router::Limit;
use runtime::{CommitError, Condition, KvWrite};
use tokio::sync::RwLock;

use crate::store::Store;

/// How many keys and bytes an app's key-value store holds: counted at the first write since the process began, kept up
/// to date with each write of this node, and, where there are other nodes, counted anew every ten minutes while there are
/// writes. So it is exact on one node and up to ten minutes old on several; nothing of it is stored, and nothing can be
/// wrong for longer.
#[derive(Clone, Default)]
pub(crate) struct Usage(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Read while a write is under way, written while all is counted: on one node a count misses no write.
    gate: RwLock<()>,
    /// Held only to look and to add.
    known: Mutex<Option<Known>>,
}

struct Known {
    held: Amount,
    counted: Instant,
    /// A write's outcome is not known: count again before the next.
    in_doubt: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Amount {
    pub(crate) keys: i64,
    pub(crate) bytes: i64,
}

/// The most that an app may keep.
#[derive(Clone, Copy)]
pub(crate) struct Most {
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
}

/// With several nodes a count is this old at most when somebody writes.
const RECOUNT: Duration = Duration::from_mins(10);
/// Tries of a write whose keys others keep changing.
const TRIES_MAX: u32 = 8;

impl Usage {
    /// What is held, if it has been counted.
    pub(crate) fn held(&self) -> Option<Amount> {
        self.0.known.lock().as_ref().map(|known| known.held)
    }

    /// Writes through `store_them` if the app may keep so much. The sizes that a write replaces are looked up where the
    /// call has not read them, and it is written at the revision that was seen.
    pub(crate) async fn commit<F>(
        &self,
        store: &Store,
        writes: Vec<KvWrite>,
        most: Most,
        is_cluster: bool,
        store_them: impl Fn(Vec<KvWrite>) -> F,
    ) -> Result<(), CommitError>
    where
        F: Future<Output = Result<(), CommitError>>,
    {
        if writes.is_empty() {
            return store_them(writes).await;
        }
        let failed = |error: backplane::Error| CommitError::Failed(error.to_string());
        self.count(store, is_cluster).await.map_err(failed)?;
        let gate = self.0.gate.read().await;
        // Whoever read a key first has to see the conflict; blind writes are tried again here.
        let is_blind = writes.iter().all(|write| write.condition == Condition::Always);
        for _ in 0..TRIES_MAX {
            let (seen, change) = sized(store, writes.clone()).await?;
            self.reserve(change, most)?;
            let mut pending = Pending {
                usage: self,
                change,
                outcome: Outcome::Unknown,
            };
            let stored = store_them(seen).await;
            pending.outcome = match &stored {
                Ok(()) => Outcome::Stored,
                Err(CommitError::Conflict | CommitError::Limit(_)) => Outcome::NotStored,
                Err(CommitError::Failed(_)) => Outcome::Unknown,
            };
            drop(pending);
            match stored {
                Err(CommitError::Conflict) if is_blind => {}
                stored => return stored,
            }
        }
        drop(gate);
        Err(CommitError::Conflict)
    }

    async fn count(&self, store: &Store, is_cluster: bool) -> Result<(), backplane::Error> {
        enum Look {
            Good,
            Missing,
            Old,
        }
        let look = {
            let mut known = self.0.known.lock();
            match known.as_mut() {
                None => Look::Missing,
                Some(known) if known.in_doubt => Look::Missing,
                Some(known) if is_cluster && known.counted.elapsed() > RECOUNT => {
                    // One counts, in the background.
                    known.counted = Instant::now();
                    Look::Old
                }
                Some(_) => Look::Good,
            }
        };
        match look {
            Look::Good => {}
            Look::Missing => {
                let _gate = self.0.gate.write().await;
                // Another may have counted meanwhile.
                let missing = self.0.known.lock().as_ref().is_none_or(|known| known.in_doubt);
                if missing {
                    self.set(store.kv_usage().await?);
                }
            }
            Look::Old => {
                let (usage, store) = (self.clone(), store.clone());
                tokio::spawn(async move {
                    match store.kv_usage().await {
                        Ok(held) => usage.set(held),
                        Err(error) => tracing::debug!(%error, "an app's keys were not counted"),
                    }
                });
            }
        }
        Ok(())
    }

    fn set(&self, held: Amount) {
        *self.0.known.lock() = Some(Known {
            held,
            counted: Instant::now(),
            in_doubt: false,
        });
    }

    fn reserve(&self, change: Amount, most: Most) -> Result<(), CommitError> {
        let mut known = self.0.known.lock();
        let Some(known) = known.as_mut() else {
            return Ok(());
        };
        let over = |held: i64, more: i64, most: u64| {
            more > 0 && held + more > i64::try_from(most).unwrap_or(i64::MAX)
        };
        if over(known.held.keys, change.keys, most.keys) {
            return Err(CommitError::Limit(Limit::KvKeys.describe(most.keys)));
        }
        if over(known.held.bytes, change.bytes, most.bytes) {
            return Err(CommitError::Limit(Limit::KvBytes.describe(most.bytes)));
        }
        known.held.add(change);
        Ok(())
    }
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.keys += other.keys;
        self.bytes += other.bytes;
    }
}

/// A write under way, whose change is counted already. If it is given up, its outcome is not known.
struct Pending<'a> {
    usage: &'a Usage,
    change: Amount,
    outcome: Outcome,
}

enum Outcome {
    Stored,
    NotStored,
    Unknown,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let mut known = self.usage.0.known.lock();
        let Some(known) = known.as_mut() else { return };
        match self.outcome {
            Outcome::Stored => {}
            Outcome::NotStored => {
                known.held.keys -= self.change.keys;
                known.held.bytes -= self.change.bytes;
            }
            Outcome::Unknown => known.in_doubt = true,
        }
    }
}

/// The writes under the revisions of what they replace, and what they change of keys and bytes.
async fn sized(store: &Store, writes: Vec<KvWrite>) -> Result<(Vec<KvWrite>, Amount), CommitError> {
    let mut change = Amount::default();
    let mut seen = Vec::with_capacity(writes.len());
    for mut write in writes {
        let before = match write.condition {
            Condition::Absent => None,
            Condition::Always | Condition::Revision(_) => {
                let found = store.get(&write.bucket, &write.key).await;
                found.map_err(CommitError::Failed)?
            }
        };
        match (write.condition, &before) {
            (Condition::Revision(revision), before)
                if before.as_ref().is_none_or(|(_, current)| *current != revision) =>
            {
                return Err(CommitError::Conflict);
            }
            (Condition::Always, None) if write.value.is_none() => continue,
            (Condition::Always, None) => write.condition = Condition::Absent,
            (Condition::Always, Some((_, revision))) => write.condition = Condition::Revision(*revision),
            (Condition::Absent | Condition::Revision(_), _) => {}
        }
        let name = write.bucket.len() + write.key.len();
        let size =
            |value: Option<usize>| value.map_or(0, |value| i64::try_from(name + value).unwrap_or(i64::MAX));
        let old = before.as_ref().map(|(value, _)| value.len());
        let new = write.value.as_ref().map(bytes::Bytes::len);
        change.add(Amount {
            keys: i64::from(new.is_some()) - i64::from(old.is_some()),
            bytes: size(new) - size(old),
        });
        seen.push(write);
    }
    Ok((seen, change))
}

#[cfg(test)]
mod tests;
