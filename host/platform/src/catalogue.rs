use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use backplane::{Backplane, Error};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream, stream::BoxStream};
use parking_lot::RwLock;
use tokio::sync::Mutex;

use crate::{
    Entry,
    records::{APP_PREFIX, AppRecord, BUCKET, CHANGES, Changes, TOPIC, app_key},
};

/// The apps that run, in memory, as the store had them a moment ago. Every node has one and keeps up:
///
/// ```text
/// loop { catalogue.changed().await; for name in catalogue.refresh().await? { … } }
/// ```
///
/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Catalogue(Arc<Shared>);

struct Shared {
    backplane: Arc<dyn Backplane>,
    state: RwLock<State>,
    /// Changes taken in.
    applied: AtomicU64,
    /// Held while the store is looked at: two readings must not be taken in in the wrong order.
    refreshing: Mutex<()>,
    hints: Mutex<BoxStream<'static, Bytes>>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<Arc<str>, Arc<Entry>>,
    /// Texts that entries share.
    manifests: HashSet<Arc<str>>,
}

/// Without any hint the store is looked at this often: hints may be lost.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Records read at once.
const TOGETHER: usize = 64;
/// Keys listed at once.
const PAGE: usize = 10_000;

impl Catalogue {
    /// Reads all apps.
    pub async fn open(backplane: Arc<dyn Backplane>) -> Result<Self, Error> {
        // Before the reading, so that nothing falls between the two.
        let hints = backplane.subscribe(TOPIC).await?;
        let catalogue = Self(Arc::new(Shared {
            backplane,
            state: RwLock::default(),
            applied: AtomicU64::new(0),
            refreshing: Mutex::new(()),
            hints: Mutex::new(hints),
        }));
        catalogue.0.reload().await?;
        Ok(catalogue)
    }

    /// `None`: there is no such app, or nothing of it is live.
    pub fn get(&self, app: &str) -> Option<Arc<Entry>> {
        self.0.state.read().entries.get(app).cloned()
    }

    /// In order.
    pub fn names(&self) -> Vec<Arc<str>> {
        self.0.state.read().entries.keys().cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.0.state.read().entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of the changes that all nodes count are in here.
    pub fn applied(&self) -> u64 {
        self.0.applied.load(Ordering::Acquire)
    }

    /// Looks at the store now and takes in what is new. Answers the apps that changed: those that came or went, have
    /// other live versions, or other secrets. What a failure left out, the next look takes in.
    pub async fn refresh(&self) -> Result<Vec<Arc<str>>, Error> {
        self.0.refresh().await
    }

    /// Resolves when a hint has come, or after 5 s.
    pub async fn changed(&self) {
        let mut hints = self.0.hints.lock().await;
        match tokio::time::timeout(LOOK_EVERY, hints.next()).await {
            // Those that came together are one.
            Ok(Some(_)) => while let Some(Some(_)) = hints.next().now_or_never() {},
            // The subscription has ended, which its owner's end does: looking goes on at its pace.
            Ok(None) => tokio::time::sleep(LOOK_EVERY).await,
            Err(_) => {}
        }
    }
}

impl Shared {
    async fn refresh(&self) -> Result<Vec<Arc<str>>, Error> {
        let _one_at_a_time = self.refreshing.lock().await;
        let now = self.changes().await?;
        let applied = self.applied.load(Ordering::Acquire);
        if now.n == applied {
            return Ok(Vec::new());
        }
        let missed = usize::try_from(now.n.wrapping_sub(applied)).unwrap_or(usize::MAX);
        // More than `recent` has, or the store is another one, or an older copy.
        if missed > now.recent.len() {
            return self.read_all(now.n).await;
        }
        let mut names = now.recent;
        names.drain(..names.len() - missed);
        names.sort_unstable();
        names.dedup();
        let changed = self.read_some(names).await?;
        self.applied.store(now.n, Ordering::Release);
        Ok(changed)
    }

    async fn reload(&self) -> Result<(), Error> {
        let _one_at_a_time = self.refreshing.lock().await;
        let n = self.changes().await?.n;
        self.read_all(n).await?;
        Ok(())
    }

    /// `n`: the changes there were before this reading.
    async fn read_all(&self, n: u64) -> Result<Vec<Arc<str>>, Error> {
        let mut names: Vec<Arc<str>> = self.state.read().entries.keys().cloned().collect();
        let mut after: Option<String> = None;
        loop {
            let keys = self
                .backplane
                .keys(BUCKET, APP_PREFIX, after.as_deref(), PAGE)
                .await?;
            let found = keys.iter().filter_map(|key| key.strip_prefix(APP_PREFIX));
            names.extend(found.map(Arc::from));
            if keys.len() < PAGE {
                break;
            }
            after = keys.last().cloned();
        }
        names.sort_unstable();
        names.dedup();
        let changed = self.read_some(names).await?;
        self.applied.store(n, Ordering::Release);
        Ok(changed)
    }

    /// Answers those that are not as they were. All are taken in, or, on an error, some.
    async fn read_some(&self, names: Vec<Arc<str>>) -> Result<Vec<Arc<str>>, Error> {
        stream::iter(names.into_iter().map(|name| self.read_one(name)))
            .buffer_unordered(TOGETHER)
            .try_filter_map(async |changed| Ok(changed))
            .try_collect()
            .await
    }

    async fn read_one(&self, name: Arc<str>) -> Result<Option<Arc<str>>, Error> {
        let value = self.backplane.get(BUCKET, &app_key(&name)).await?;
        let record = match value.map(|value| serde_json::from_slice::<AppRecord>(&value.bytes)) {
            None => None,
            Some(Ok(record)) => Some(record),
            // One that cannot be read must not keep the others back. What ran before goes on running.
            Some(Err(error)) => {
                tracing::error!(app = %name, %error, "the app's record cannot be read");
                return Ok(None);
            }
        };
        let changed = self.state.write().take_in(&name, record.as_ref());
        Ok(changed.then_some(name))
    }

    async fn changes(&self) -> Result<Changes, Error> {
        let Some(value) = self.backplane.get(BUCKET, CHANGES).await? else {
            return Ok(Changes::default());
        };
        serde_json::from_slice(&value.bytes)
            .map_err(|error| Error::Unavailable(format!("the record of changes cannot be read: {error}")))
    }
}

impl State {
    fn take_in(&mut self, name: &Arc<str>, record: Option<&AppRecord>) -> bool {
        let manifests = &mut self.manifests;
        let shared = |text: &Arc<str>| {
            if let Some(same) = manifests.get(text) {
                return Arc::clone(same);
            }
            manifests.insert(Arc::clone(text));
            Arc::clone(text)
        };
        let entry = record.and_then(|record| Entry::of(Arc::clone(name), record, shared));
        let changed = match &entry {
            Some(entry) => self.entries.get(name).is_none_or(|old| **old != *entry),
            None => self.entries.contains_key(name),
        };
        match entry {
            Some(entry) if changed => _ = self.entries.insert(Arc::clone(name), Arc::new(entry)),
            Some(_) => {}
            None => _ = self.entries.remove(name),
        }
        self.forget_manifests();
        changed
    }

    /// Texts that nobody has any more, now and then: each text is looked at once for every text that is added.
    fn forget_manifests(&mut self) {
        let has_many = self.manifests.len() > 2 * self.entries.len() + 64;
        if has_many {
            self.manifests.retain(|text| Arc::strong_count(text) > 1);
        }
    }
}

#[cfg(test)]
mod tests;
