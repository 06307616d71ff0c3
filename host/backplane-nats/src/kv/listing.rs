use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::Bound,
    time::{Duration, Instant},
};

use async_nats::jetstream::consumer::DeliverPolicy;
use backplane::{Change, Error};
use futures_util::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;

use super::{
    Buckets,
    frame::{Body, Record},
};
use crate::feed::{Fed, Feed, FeedError};

/// Buckets' keys as they were a moment ago, so that the pages of one listing cost one reading. What this node writes
/// is in them.
#[derive(Default)]
pub(super) struct Listings {
    kept: Mutex<HashMap<String, (Instant, BTreeSet<String>)>>,
    /// Buckets that had many keys when they were last listed.
    large: Mutex<HashSet<String>>,
}

impl Listings {
    pub(super) fn written(&self, bucket: &str, changes: &[Change]) {
        let mut listings = self.kept.lock();
        let Some((_, keys)) = listings.get_mut(bucket) else {
            return;
        };
        for change in changes {
            match change.value {
                Some(_) => keys.insert(change.key.clone()),
                None => keys.remove(&change.key),
            };
        }
    }

    fn page(&self, bucket: &str, prefix: &str, after: Option<&str>, keys_max: usize) -> Option<Vec<String>> {
        let listings = self.kept.lock();
        let (at, keys) = listings.get(bucket)?;
        (at.elapsed() < FRESH).then(|| page(keys, prefix, after, keys_max))
    }

    fn keep(&self, bucket: &str, keys: BTreeSet<String>) {
        let mut listings = self.kept.lock();
        listings.retain(|_, (at, _)| at.elapsed() < FRESH);
        listings.insert(bucket.to_owned(), (Instant::now(), keys));
    }
}

pub(super) async fn keys(
    buckets: &Buckets,
    bucket: &str,
    prefix: &str,
    after: Option<&str>,
    keys_max: usize,
) -> Result<Vec<String>, Error> {
    // Only whoever turns a page is content with what was.
    if after.is_some()
        && let Some(page) = buckets.listings.page(bucket, prefix, after, keys_max)
    {
        return Ok(page);
    }
    let keys = list(buckets, bucket).await?;
    let page = page(&keys, prefix, after, keys_max);
    if page.len() == keys_max {
        buckets.listings.keep(bucket, keys);
    }
    Ok(page)
}

fn page(keys: &BTreeSet<String>, prefix: &str, after: Option<&str>, keys_max: usize) -> Vec<String> {
    let start = match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    };
    let found = keys.range::<str, _>((start, Bound::Unbounded));
    let found = found.take_while(|key| key.starts_with(prefix));
    found.take(keys_max).cloned().collect()
}

/// Every key of a bucket. A small one is read key by key, often (leases are): a consumer is more than a request, since
/// all servers of a cluster have to agree on it, and to forget it.
async fn list(buckets: &Buckets, bucket: &str) -> Result<BTreeSet<String>, Error> {
    let large = &buckets.listings.large;
    if !large.lock().contains(bucket) {
        let subjects = subjects(buckets, bucket).await?;
        if subjects.len() <= SMALL_MAX {
            return list_small(buckets, bucket, subjects).await;
        }
        large.lock().insert(bucket.to_owned());
    }
    let keys = list_large(buckets, bucket).await?;
    if keys.len() <= SMALL_MAX / 2 {
        large.lock().remove(bucket);
    }
    Ok(keys)
}

/// Of a bucket's keys, as the stream's leader has them. With many this is a long answer.
async fn subjects(buckets: &Buckets, bucket: &str) -> Result<Vec<String>, Error> {
    let link = &buckets.link;
    let stream = link.names.kv_stream(link.names.partition(bucket));
    link.subjects(&stream, &link.names.kv_bucket(bucket)).await
}

async fn list_small(
    buckets: &Buckets,
    bucket: &str,
    subjects: Vec<String>,
) -> Result<BTreeSet<String>, Error> {
    let link = &buckets.link;
    let stream = link.names.kv_stream(link.names.partition(bucket));
    let reads: Vec<_> = subjects
        .iter()
        .map(|subject| link.last(&stream, subject))
        .collect();
    let mut found = stream::iter(reads).buffered(TOGETHER);
    let mut keys = BTreeSet::new();
    while let Some(message) = found.try_next().await? {
        let record = message.and_then(|message| Record::decode(message.payload));
        let Some(record) = record.filter(|record| record.bucket == bucket) else {
            continue;
        };
        if exists(buckets, bucket, &record).await? {
            keys.insert(record.key);
        }
    }
    Ok(keys)
}

async fn exists(buckets: &Buckets, bucket: &str, record: &Record) -> Result<bool, Error> {
    match record.body {
        Body::Value(_) => Ok(true),
        Body::Tombstone { .. } => Ok(false),
        Body::Intent(_) => Ok(buckets.seen(bucket, &record.key).await?.value.is_some()),
    }
}

/// The leader says where the bucket ends: the consumer may sit on a replica that is behind.
async fn list_large(buckets: &Buckets, bucket: &str) -> Result<BTreeSet<String>, Error> {
    let link = &buckets.link;
    let (stream, filter) = (
        link.names.kv_stream(link.names.partition(bucket)),
        link.names.kv_bucket(bucket),
    );
    let unavailable = |error: FeedError| Error::Unavailable(error.to_string());
    let mut keys = BTreeSet::new();
    let Some(last) = link.last(&stream, &filter).await? else {
        return Ok(keys);
    };
    let start = DeliverPolicy::LastPerSubject;
    let mut feed = Feed::open(&link.data.jetstream, &stream, start, filter.clone())
        .await
        .map_err(unavailable)?;
    let (mut ended, mut reached) = (false, 0);
    while !ended {
        let message = match feed.next().await.map_err(unavailable)? {
            Fed::Message(message) => message,
            // The last one was removed meanwhile; if not, a replica has it yet to come.
            Fed::Idle => {
                let now = link.last(&stream, &filter).await?;
                ended = reached >= last.sequence || now.is_none_or(|now| now.sequence != last.sequence);
                continue;
            }
        };
        reached = message.sequence;
        // A key that is written while we read comes again at the end.
        ended = reached >= last.sequence && message.pending == 0;
        let Some(record) = Record::decode(message.payload).filter(|record| record.bucket == bucket) else {
            continue;
        };
        if exists(buckets, bucket, &record).await? {
            keys.insert(record.key);
        } else {
            keys.remove(&record.key);
        }
    }
    Ok(keys)
}

/// How long turning pages goes on with one reading.
const FRESH: Duration = Duration::from_secs(3);
/// Keys of a bucket that is read key by key.
const SMALL_MAX: usize = 64;
/// Keys at a time.
const TOGETHER: usize = 16;
