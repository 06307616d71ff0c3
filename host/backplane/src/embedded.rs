use std::{collections::HashMap, ops::ControlFlow, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{FutureExt, future::ready, stream::BoxStream};
use parking_lot::RwLock;
use router::{Delivery, Position};

use self::{
    blobs::Blobs,
    buckets::Buckets,
    clock::Clock,
    directory::Directory,
    disk::Disk,
    journal::{Journal, new_epoch},
    keeper::Keeper,
    kept::Kept,
    log::{Batch, Log},
    offload::offload,
    store::{Space, Store},
    topics::Topics,
};
use crate::{Answer, Appended, Backplane, Change, Error, Tail, Value, Window, limits};

pub use directory::{Fsync, OpenError};

mod log;

mod kept;

mod journal;

mod buckets;
mod topics;

mod blobs;

mod clock;
mod directory;
mod disk;
mod keeper;
mod offload;
mod store;

/// The backplane of a single node, in its own process: everything live is in memory, and a data directory beneath,
/// if there is one, keeps what was answered.
///
/// Promises, with a data directory: entries of logs, windows, idempotency keys, values and blobs that were
/// answered are there when it is opened again after the process was dropped, killed (SIGKILL) or crashed, at any
/// moment. If the whole machine goes down, [`Fsync`] says what may be missing; whatever is, logs that may have lost
/// an entry have a new epoch. What was under way and not answered may be there or not, but whole. Topics, tails and
/// subscriptions end with the process. Without a directory, nothing survives.
///
/// Appends, reads, publishing and key-value calls are done within the first poll, unless they have to wait for
/// a tail or ([`Fsync::Always`]) for the disk. Dropping this ends its tails and subscriptions; the directory
/// is free once the answers under way are dropped too.
pub struct Embedded {
    shared: Arc<Shared>,
    topics: Arc<Topics>,
    /// Sweeps logs and syncs the store. Stopped before anything else goes.
    keeper: Option<Keeper>,
}

struct Shared {
    store: Arc<Store>,
    logs: RwLock<HashMap<Arc<str>, Arc<Log>>>,
    buckets: Buckets,
    blobs: Blobs,
    clock: Arc<Clock>,
}

impl Embedded {
    /// Nothing survives.
    pub fn in_memory() -> Self {
        Self::start(Shared::new(Store::memory(), Blobs::memory()))
    }

    /// In a data directory, which is made if need be, with [`Fsync::EverySecond`]. Reads the logs' windows: blocks.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, Fsync::EverySecond)
    }

    pub fn open_with(path: impl AsRef<Path>, fsync: Fsync) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let (disk, intact) = Disk::open(path, fsync)?;
        let blobs = Blobs::files(Directory::blobs(path)).map_err(|source| OpenError::NotWritable {
            path: path.to_path_buf(),
            source,
        })?;
        let shared = Shared::new(Store::Disk(disk), blobs);
        shared.load(intact).map_err(|error| OpenError::Damaged {
            path: path.to_path_buf(),
            reason: error.to_string(),
        })?;
        shared.store.begin()?;
        Ok(Self::start(shared))
    }

    /// Payloads that were published to a subscriber who had no room: since the start, of all topics.
    pub fn payloads_dropped(&self) -> u64 {
        self.topics.dropped()
    }

    fn start(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        let kept = Arc::clone(&shared);
        let keeper = Keeper::start(move || kept.tidy());
        if let Err(error) = &keeper {
            tracing::error!(%error, "no thread for the backplane's keeper: logs are swept when they are used only");
        }
        Self {
            shared,
            topics: Arc::default(),
            keeper: keeper.ok(),
        }
    }

    /// The work of a call that may wait for the disk to write.
    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, Error> + Send + 'static,
    ) -> Answer<T> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            if shared.store.blocks() {
                offload(move || work(&shared)).await
            } else {
                work(&shared)
            }
        })
    }

    /// The work of a call on files, or long enough to be one.
    fn long<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, Error> + Send + 'static,
    ) -> Answer<T> {
        let shared = Arc::clone(&self.shared);
        Box::pin(offload(move || work(&shared)))
    }

    fn now<T: Send + 'static>(&self, work: impl FnOnce(&Shared) -> Result<T, Error>) -> Answer<T> {
        ready(work(&self.shared)).boxed()
    }
}

impl Backplane for Embedded {
    fn append(&self, app: &str, entries: Vec<Arc<Delivery>>, key: Option<String>) -> Answer<Appended> {
        let checked = limits::check_entries(entries.iter().map(|entry| &**entry))
            .and_then(|()| {
                key.as_ref()
                    .map_or(Ok(()), |key| limits::check_name("idempotency key", key))
            })
            .and_then(|()| self.shared.log(app));
        match checked {
            Ok(log) => Box::pin(log.append(Batch {
                entries,
                key: key.map(Arc::from),
            })),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    fn tail(&self, app: &str) -> Answer<Tail> {
        self.now(|shared| Ok(shared.log(app)?.tail()))
    }

    fn read(&self, app: &str, after: Position, entries_max: usize) -> Answer<Vec<(Position, Arc<Delivery>)>> {
        self.now(|shared| shared.log(app)?.read(after, entries_max))
    }

    fn head(&self, app: &str) -> Answer<Position> {
        self.now(|shared| Ok(shared.log(app)?.head()))
    }

    fn retain(&self, app: &str, window: Window) -> Answer<()> {
        let app = app.to_owned();
        self.write(move |shared| shared.log(&app)?.retain(window))
    }

    fn publish(&self, topic: &str, payload: Bytes) -> Answer<()> {
        let checked = limits::check_name("topic", topic).and_then(|()| limits::check_payload(&payload));
        if checked.is_ok() {
            self.topics.publish(topic, &payload);
        }
        ready(checked).boxed()
    }

    fn subscribe(&self, topic: &str) -> Answer<BoxStream<'static, Bytes>> {
        let checked = limits::check_name("topic", topic);
        let stream = checked.map(|()| Box::pin(self.topics.subscribe(topic)) as BoxStream<'static, Bytes>);
        ready(stream).boxed()
    }

    fn get(&self, bucket: &str, key: &str) -> Answer<Option<Value>> {
        self.now(|shared| shared.buckets.get(bucket, key))
    }

    fn write(&self, bucket: &str, changes: Vec<Change>) -> Answer<Vec<u64>> {
        let bucket = bucket.to_owned();
        self.write(move |shared| shared.buckets.write(&bucket, changes))
    }

    fn keys(&self, bucket: &str, prefix: &str, after: Option<&str>, keys_max: usize) -> Answer<Vec<String>> {
        self.now(|shared| shared.buckets.keys(bucket, prefix, after, keys_max))
    }

    fn put_blob(&self, blob: Bytes) -> Answer<String> {
        self.long(move |shared| shared.blobs.put(&blob))
    }

    fn get_blob(&self, digest: &str) -> Answer<Option<Bytes>> {
        let digest = digest.to_owned();
        self.long(move |shared| shared.blobs.get(&digest))
    }

    fn delete_blob(&self, digest: &str) -> Answer<()> {
        let digest = digest.to_owned();
        self.long(move |shared| shared.blobs.delete(&digest))
    }

    fn is_connected(&self) -> bool {
        true
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.keeper.take();
        self.topics.close();
        for log in self.shared.logs.read().values() {
            log.close();
        }
    }
}

impl Shared {
    fn new(store: Store, blobs: Blobs) -> Self {
        let store = Arc::new(store);
        let buckets = Buckets::new(Arc::clone(&store));
        Self {
            store,
            logs: RwLock::default(),
            buckets,
            blobs,
            clock: Arc::new(Clock::start()),
        }
    }

    /// Reads every log's window. `intact`: no answered write is missing.
    fn load(&self, intact: bool) -> Result<(), Error> {
        let mut records = Vec::new();
        self.store.scan(Space::Logs, &[], None, &mut |app, record| {
            let app =
                std::str::from_utf8(app).map_err(|_| Error::Unavailable("log without a name".into()))?;
            records.push((Arc::<str>::from(app), record.to_vec()));
            Ok(ControlFlow::Continue(()))
        })?;
        let mut logs = self.logs.write();
        for (app, record) in records {
            let (kept, journal) = Journal::load(&self.store, &app, &record, intact, &self.clock)?;
            let log = Log::new(kept, Some(journal), Arc::clone(&self.clock));
            logs.insert(app, Arc::new(log));
        }
        Ok(())
    }

    /// A log comes to be with the first call that names it: its epoch has to hold from then on.
    fn log(&self, app: &str) -> Result<Arc<Log>, Error> {
        if let Some(log) = self.logs.read().get(app) {
            return Ok(Arc::clone(log));
        }
        limits::check_name("app", app)?;
        let app = Arc::<str>::from(app);
        let mut logs = self.logs.write();
        if let Some(log) = logs.get(&app) {
            return Ok(Arc::clone(log));
        }
        let (kept, journal) = if self.store.survives() {
            let (kept, journal) = Journal::create(&self.store, &app, Window::INITIAL)?;
            (kept, Some(journal))
        } else {
            (Kept::new(new_epoch()?, 0, Window::INITIAL), None)
        };
        let log = Arc::new(Log::new(kept, journal, Arc::clone(&self.clock)));
        logs.insert(app, Arc::clone(&log));
        Ok(log)
    }

    /// The keeper's chore.
    fn tidy(&self) {
        let logs: Vec<Arc<Log>> = self.logs.read().values().cloned().collect();
        for log in logs {
            if let Err(error) = log.sweep() {
                tracing::error!(%error, "a log was not swept");
            }
        }
        if let Err(error) = self.store.sync() {
            tracing::error!(%error, "the store was not synced: a crash of the machine may lose more than a second");
        }
    }
}
