//! What an app keeps: its key-value buckets and its timers, in one bucket of the backplane, since only within one are
//! writes all or nothing.
use std::sync::Arc;

use backplane::{Answer, Backplane, Change};
use bytes::Bytes;
use futures_util::StreamExt as _;
use runtime::{CommitError, KvWrite};

use crate::{quota::Amount, timers::Changed};

/// Apps that have had timers are this bucket's keys.
pub(crate) const TIMED_BUCKET: &str = "timed";
/// What nodes tell each other of timers: an app and its [`Changed`], as JSON.
pub(crate) const TIMERS_TOPIC: &str = "timers";

/// One app's part of the backplane. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    backplane: Arc<dyn Backplane>,
    bucket: Arc<str>,
}

/// Of the buckets' names, before the app's.
const PREFIX: &str = "data:";
/// Keys listed at once.
const PAGE: usize = 1_000;
/// The backplane takes keys of 512 bytes; ours have two bytes and a bucket's name before the guest's key.
const KEY_BYTES_MAX: usize = 400;
const BUCKET_BYTES_MAX: usize = 100;
const NUL: char = '\0';
/// Values read at once when all are counted.
const READS_AT_ONCE: usize = 64;
/// Of a key of the store, what is neither its bucket's name nor the guest's: a letter and two separators.
const KEY_FRAME_BYTES: usize = 3;

impl Store {
    pub(crate) fn new(backplane: Arc<dyn Backplane>, app: &str) -> Self {
        Self {
            backplane,
            bucket: format!("{PREFIX}{app}").into(),
        }
    }

    pub(crate) fn app(&self) -> &str {
        self.bucket.strip_prefix(PREFIX).unwrap_or(&self.bucket)
    }

    pub(crate) async fn get(&self, bucket: &str, key: &str) -> Result<Option<(Bytes, u64)>, String> {
        let key = kv_key(bucket, key)?;
        let value = self
            .backplane
            .get(&self.bucket, &key)
            .await
            .map_err(|error| error.to_string())?;
        Ok(value.map(|value| (value.bytes, value.revision)))
    }

    pub(crate) async fn keys(
        &self,
        bucket: &str,
        after: Option<&str>,
        keys_max: usize,
    ) -> Result<Vec<String>, String> {
        let prefix = kv_key(bucket, "")?;
        let after = after.map(|after| format!("{prefix}{after}"));
        let keys = self
            .backplane
            .keys(&self.bucket, &prefix, after.as_deref(), keys_max)
            .await;
        let keys = keys.map_err(|error| error.to_string())?;
        Ok(keys
            .into_iter()
            .filter_map(|key| key.strip_prefix(&prefix).map(str::to_owned))
            .collect())
    }

    /// Counts all that the app keeps: reads every value.
    pub(crate) async fn kv_usage(&self) -> Result<Amount, backplane::Error> {
        let prefix = format!("k{NUL}");
        let mut held = Amount::default();
        let mut after: Option<String> = None;
        loop {
            let page = self
                .backplane
                .keys(&self.bucket, &prefix, after.as_deref(), PAGE)
                .await?;
            let values = futures_util::stream::iter(page.clone()).map(|key| async move {
                let value = self.backplane.get(&self.bucket, &key).await?;
                Ok::<_, backplane::Error>(value.map(|value| key.len() - KEY_FRAME_BYTES + value.bytes.len()))
            });
            let mut values = values.buffer_unordered(READS_AT_ONCE);
            while let Some(size) = values.next().await {
                if let Some(size) = size? {
                    held.keys += 1;
                    held.bytes += i64::try_from(size).unwrap_or(i64::MAX);
                }
            }
            if page.len() < PAGE {
                return Ok(held);
            }
            after = page.into_iter().next_back();
        }
    }

    /// What a call wrote, which the runtime has held to the app's limits.
    pub(crate) fn kv_changes(writes: Vec<KvWrite>) -> Result<Vec<Change>, CommitError> {
        let change = |write: KvWrite| {
            let condition = match write.condition {
                runtime::Condition::Always => backplane::Condition::Always,
                runtime::Condition::Absent => backplane::Condition::Absent,
                runtime::Condition::Revision(revision) => backplane::Condition::Revision(revision),
            };
            let key = kv_key(&write.bucket, &write.key).map_err(CommitError::Failed)?;
            Ok(Change {
                key,
                value: write.value,
                condition,
            })
        };
        writes.into_iter().map(change).collect()
    }

    pub(crate) fn timer_change(name: &str, value: Option<Bytes>, condition: backplane::Condition) -> Change {
        Change {
            key: timer_key(name),
            value,
            condition,
        }
    }

    pub(crate) fn write(&self, changes: Vec<Change>) -> Answer<Vec<u64>> {
        self.backplane.write(&self.bucket, changes)
    }

    pub(crate) fn timer(&self, name: &str) -> Answer<Option<backplane::Value>> {
        self.backplane.get(&self.bucket, &timer_key(name))
    }

    /// Writes down that the app has timers, or has had some.
    pub(crate) async fn mark_timers(&self) -> Result<(), backplane::Error> {
        let change = Change {
            key: self.app().to_owned(),
            value: Some(Bytes::from_static(b"1")),
            condition: backplane::Condition::Always,
        };
        self.backplane.write(TIMED_BUCKET, vec![change]).await.map(drop)
    }

    /// Tells other nodes of timers that were set or cancelled: at most once.
    pub(crate) async fn tell_timers(&self, changes: &[Changed]) {
        let payload = serde_json::to_vec(&(self.app(), changes)).unwrap_or_default();
        if let Err(error) = self.backplane.publish(TIMERS_TOPIC, payload.into()).await {
            tracing::debug!(%error, "other nodes were not told of a timer");
        }
    }

    /// A key that is neither a guest's nor a timer's.
    pub(crate) fn read(&self, key: &str) -> Answer<Option<backplane::Value>> {
        self.backplane.get(&self.bucket, key)
    }

    /// The first keys that begin with `prefix`.
    pub(crate) fn keys_from(&self, prefix: &str, keys_max: usize) -> Answer<Vec<String>> {
        self.backplane.keys(&self.bucket, prefix, None, keys_max)
    }

    /// Names of all timers.
    pub(crate) async fn timers(&self) -> Result<Vec<String>, backplane::Error> {
        let prefix = timer_key("");
        let mut names: Vec<String> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self
                .backplane
                .keys(&self.bucket, &prefix, after.as_deref(), PAGE)
                .await?;
            names.extend(
                page.iter()
                    .filter_map(|key| key.strip_prefix(&prefix).map(str::to_owned)),
            );
            if page.len() < PAGE {
                return Ok(names);
            }
            after = page.into_iter().next_back();
        }
    }
}

/// NUL separates, since a bucket's name may hold anything else.
fn kv_key(bucket: &str, key: &str) -> Result<String, String> {
    if bucket.len() > BUCKET_BYTES_MAX || bucket.contains(NUL) {
        return Err(format!(
            "expected a bucket's name of at most {BUCKET_BYTES_MAX} bytes without NUL, found {bucket:?}"
        ));
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(format!(
            "a key has {} bytes; at most {KEY_BYTES_MAX} can be stored",
            key.len()
        ));
    }
    Ok(format!("k{NUL}{bucket}{NUL}{key}"))
}

fn timer_key(name: &str) -> String {
    format!("t{NUL}{name}")
}
