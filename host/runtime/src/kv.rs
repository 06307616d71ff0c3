#![expect(
    clippy::option_option,
    reason = "each level has a meaning of its own, told where it stands"
)]

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use crate::host::{Condition, KvWrite};

/// The key-value side of one call: what it read, once, and what it will write. Reading gives what was written.
#[derive(Default)]
pub(crate) struct KvTransaction {
    entries: BTreeMap<(Arc<str>, String), Entry>,
    /// Entries with a write.
    writes: usize,
}

#[derive(Default)]
struct Entry {
    /// What the store had when it was first asked. `None`: not asked.
    read: Option<Option<(Bytes, u64)>>,
    /// The call's own value; the inner `None` deletes.
    write: Option<Option<Bytes>>,
}

impl KvTransaction {
    /// The value as this call sees it; `None` if the store has to be asked first, `Some(None)` if there is none.
    pub(crate) fn get(&self, bucket: &Arc<str>, key: &str) -> Option<Option<Bytes>> {
        let entry = self.entries.get(&(Arc::clone(bucket), key.to_owned()))?;
        if let Some(written) = &entry.write {
            return Some(written.clone());
        }
        entry
            .read
            .as_ref()
            .map(|read| read.as_ref().map(|(value, _)| value.clone()))
    }

    /// The store's answer.
    pub(crate) fn record(&mut self, bucket: &Arc<str>, key: &str, value: Option<(Bytes, u64)>) {
        self.entries
            .entry((Arc::clone(bucket), key.to_owned()))
            .or_default()
            .read = Some(value);
    }

    /// `None` deletes.
    pub(crate) fn set(&mut self, bucket: &Arc<str>, key: String, value: Option<Bytes>) {
        let entry = self.entries.entry((Arc::clone(bucket), key)).or_default();
        self.writes += usize::from(entry.write.is_none());
        entry.write = Some(value);
    }

    pub(crate) fn writes_key(&self, bucket: &Arc<str>, key: &str) -> bool {
        let entry = self.entries.get(&(Arc::clone(bucket), key.to_owned()));
        entry.is_some_and(|entry| entry.write.is_some())
    }

    /// Applies this call's writes to a page of the store's keys, which covers all after `after` and, unless it is
    /// the last page, up to its last key.
    pub(crate) fn merge(
        &self,
        bucket: &Arc<str>,
        after: Option<&str>,
        page: Vec<String>,
        last: bool,
    ) -> Vec<String> {
        if self.writes == 0 {
            return page;
        }
        let end = if last { None } else { page.last().cloned() };
        let mut keys: std::collections::BTreeSet<String> = page.into_iter().collect();
        for ((_, key), entry) in self.entries.iter().filter(|((of, _), _)| of == bucket) {
            let inside =
                after.is_none_or(|after| key.as_str() > after) && end.as_ref().is_none_or(|end| key <= end);
            match &entry.write {
                Some(Some(_)) if inside => {
                    keys.insert(key.clone());
                }
                Some(None) => {
                    keys.remove(key);
                }
                _ => {}
            }
        }
        keys.into_iter().collect()
    }

    pub(crate) fn into_writes(self) -> Vec<KvWrite> {
        let written = self.entries.into_iter().filter_map(|((bucket, key), entry)| {
            let value = entry.write?;
            let condition = match entry.read {
                None => Condition::Always,
                // Deleting what is not there is nothing.
                Some(None) if value.is_none() => return None,
                Some(None) => Condition::Absent,
                Some(Some((_, revision))) => Condition::Revision(revision),
            };
            Some(KvWrite {
                bucket,
                key,
                value,
                condition,
            })
        });
        written.collect()
    }
}
