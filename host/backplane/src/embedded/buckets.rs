use std::{collections::HashMap, ops::ControlFlow, sync::Arc};

use bytes::{Buf, Bytes};
use parking_lot::Mutex;

use super::store::{Op, Safe, Space, Store, named};
use crate::{Change, Condition, Error, Value, limits};

/// Key-value buckets, straight from the store.
///
/// No cache of our own: handlers may keep more than memory holds, the store has its recent writes in memory and
/// caches its blocks, and so a read of a live session's record costs a microsecond or two.
pub(super) struct Buckets {
    store: Arc<Store>,
    /// Buckets that were written since the start, each locked by whoever writes.
    revisions: Mutex<HashMap<Arc<str>, Arc<Mutex<Revisions>>>>,
}

/// Of one bucket.
#[derive(Clone, Copy)]
struct Revisions {
    /// The last that was given out.
    last: u64,
    /// What the store has: those up to here are not given out again after a restart. Taken by so many at once, since a
    /// record of every single one would cost as much as the writes themselves.
    reserved: u64,
}

/// Lost at a restart, at most.
const REVISIONS_RESERVED: u64 = 256;

impl Buckets {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            revisions: Mutex::default(),
        }
    }

    pub(super) fn get(&self, bucket: &str, key: &str) -> Result<Option<Value>, Error> {
        limits::check_name("bucket", bucket)?;
        limits::check_name("key", key)?;
        let stored = self.store.get(Space::Values, &named(bucket, key.as_bytes()))?;
        stored.map(|stored| decode(bucket, key, stored)).transpose()
    }

    pub(super) fn write(&self, bucket: &str, changes: Vec<Change>) -> Result<Vec<u64>, Error> {
        limits::check_name("bucket", bucket)?;
        limits::check_changes(&changes)?;
        let revisions = self.revisions(bucket)?;
        let mut revisions = revisions.lock();
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        for change in &changes {
            let holds = match change.condition {
                Condition::Always => true,
                Condition::Absent => self.get(bucket, &change.key)?.is_none(),
                Condition::Revision(expected) => self
                    .get(bucket, &change.key)?
                    .is_some_and(|value| value.revision == expected),
            };
            if !holds {
                return Err(Error::Conflict {
                    key: change.key.clone(),
                });
            }
        }
        let (next, count) = (revisions.last + 1, changes.len());
        let mut ops: Vec<Op> = changes
            .into_iter()
            .map(|change| op(bucket, change, next))
            .collect();
        let reserved = if next > revisions.reserved {
            let reserved = next + (REVISIONS_RESERVED - 1);
            ops.push(Op {
                space: Space::Buckets,
                key: bucket.as_bytes().to_vec(),
                value: Some(reserved.to_be_bytes().to_vec()),
            });
            reserved
        } else {
            revisions.reserved
        };
        // Even a write that fails may be found after a restart: its revision is not given out twice.
        revisions.last = next;
        self.store.commit(ops, Safe::AsConfigured)?;
        // Only now: what was not written is written with the next.
        revisions.reserved = reserved;
        Ok(vec![next; count])
    }

    pub(super) fn keys(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        keys_max: usize,
    ) -> Result<Vec<String>, Error> {
        limits::check_name("bucket", bucket)?;
        limits::check_bound("prefix", prefix)?;
        limits::check_bound("after", after.unwrap_or_default())?;
        let mut keys = Vec::new();
        if keys_max == 0 {
            return Ok(keys);
        }
        let name = named(bucket, &[]);
        let after = after.map(|after| named(bucket, after.as_bytes()));
        self.store.scan(
            Space::Values,
            &named(bucket, prefix.as_bytes()),
            after.as_deref(),
            &mut |key, _| {
                let key = key
                    .get(name.len()..)
                    .and_then(|key| std::str::from_utf8(key).ok());
                let key =
                    key.ok_or_else(|| Error::Unavailable(format!("bucket {bucket:?} has a damaged key")))?;
                keys.push(key.to_owned());
                Ok(if keys.len() < keys_max {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            },
        )?;
        Ok(keys)
    }

    fn revisions(&self, bucket: &str) -> Result<Arc<Mutex<Revisions>>, Error> {
        let mut revisions = self.revisions.lock();
        if let Some(found) = revisions.get(bucket) {
            return Ok(Arc::clone(found));
        }
        let stored = self.store.get(Space::Buckets, bucket.as_bytes())?;
        let last = stored.map_or(Ok(0), |mut stored| stored.try_get_u64());
        let last =
            last.map_err(|_| Error::Unavailable(format!("bucket {bucket:?} has a damaged revision")))?;
        let found = Arc::new(Mutex::new(Revisions { last, reserved: last }));
        revisions.insert(Arc::from(bucket), Arc::clone(&found));
        Ok(found)
    }
}

fn op(bucket: &str, change: Change, revision: u64) -> Op {
    let value = change
        .value
        .map(|value| [&revision.to_be_bytes(), &value[..]].concat());
    Op {
        space: Space::Values,
        key: named(bucket, change.key.as_bytes()),
        value,
    }
}

fn decode(bucket: &str, key: &str, mut stored: Bytes) -> Result<Value, Error> {
    match stored.try_get_u64() {
        Ok(revision) => Ok(Value {
            bytes: stored,
            revision,
        }),
        Err(_) => Err(Error::Unavailable(format!(
            "bucket {bucket:?} has a damaged value under {key:?}"
        ))),
    }
}
