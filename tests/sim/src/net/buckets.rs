use std::collections::BTreeMap;

use backplane::{Change, Condition, Error, Value};

use super::{Core, Net};

/// Keys and values. Revisions are a sequence that all keys of a bucket share, and go on past removals.
#[derive(Default)]
pub(super) struct Bucket {
    values: BTreeMap<String, Value>,
    revision: u64,
}

impl Net {
    /// What a bucket has, for whoever checks.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.with(|core| core.keys(bucket, "", None, usize::MAX))
    }
}

impl Core {
    pub(super) fn get(&mut self, bucket: &str, key: &str) -> Option<Value> {
        self.buckets.get(bucket)?.values.get(key).cloned()
    }

    pub(super) fn keys(
        &mut self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        keys_max: usize,
    ) -> Vec<String> {
        let Some(bucket) = self.buckets.get(bucket) else {
            return Vec::new();
        };
        let from = after.filter(|after| *after >= prefix).unwrap_or(prefix);
        let found = bucket.values.range(from.to_owned()..).map(|(key, _)| key);
        let found = found.skip_while(|key| after.is_some_and(|after| key.as_str() <= after));
        let found = found.take_while(|key| key.starts_with(prefix));
        found.take(keys_max).cloned().collect()
    }

    pub(super) fn write(&mut self, bucket: &str, changes: &[Change]) -> Result<Vec<u64>, Error> {
        let bucket = self.buckets.entry(bucket.to_owned()).or_default();
        for change in changes {
            let holds = match (change.condition, bucket.values.get(&change.key)) {
                (Condition::Always, _) | (Condition::Absent, None) => true,
                (Condition::Revision(revision), Some(value)) => value.revision == revision,
                (Condition::Absent, Some(_)) | (Condition::Revision(_), None) => false,
            };
            if !holds {
                let key = change.key.clone();
                return Err(Error::Conflict { key });
            }
        }
        let write = |change: &Change| {
            bucket.revision += 1;
            match &change.value {
                Some(bytes) => {
                    let value = Value {
                        bytes: bytes.clone(),
                        revision: bucket.revision,
                    };
                    bucket.values.insert(change.key.clone(), value);
                }
                None => drop(bucket.values.remove(&change.key)),
            }
            bucket.revision
        };
        Ok(changes.iter().map(write).collect())
    }
}
