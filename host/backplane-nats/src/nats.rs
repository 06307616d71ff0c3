use std::sync::Arc;

use backplane::{Answer, Appended, Backplane, Change, Error, Tail, Value, Window};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use router::{Delivery, Position};
use tokio::sync::watch;

use crate::{
    ConnectError, Emit, NatsConfig, ServerInfo, Stats,
    connect::{connect, take_logs},
    emits,
    inner::Inner,
};

/// The backplane over NATS. Cheap to clone; the last clone takes its connections and its thread along.
#[derive(Clone)]
pub struct Nats(Arc<Held>);

struct Held {
    inner: Arc<Inner>,
    server: ServerInfo,
    /// The background thread lives as long as this.
    _alive: watch::Sender<()>,
}

impl Nats {
    /// Connects, and makes the streams or updates them. Gives up at the first failure: whoever wants to wait for
    /// NATS calls again.
    pub async fn connect(config: NatsConfig) -> Result<Self, ConnectError> {
        connect(config).await
    }

    pub(crate) fn new(inner: Arc<Inner>, server: ServerInfo, alive: watch::Sender<()>) -> Self {
        Self(Arc::new(Held {
            inner,
            server,
            _alive: alive,
        }))
    }

    #[cfg(test)]
    pub(crate) fn inner(&self) -> &Inner {
        &self.0.inner
    }

    /// The server first connected to.
    pub fn server(&self) -> ServerInfo {
        self.0.server.clone()
    }

    pub fn stats(&self) -> Stats {
        self.0.inner.link.counters.read()
    }

    /// From now on the current thread reads logs and appends to them, by a connection of its own, rather than the
    /// background thread: a message wakes one thread less on its way in and on its way out. For a node that serves on
    /// one thread only, where nobody else waits for what is read; its runtime must live as long as the node serves. On
    /// an error, and where a log is read already, all stays as it was.
    pub async fn take_logs(&self) -> Result<(), ConnectError> {
        take_logs(&self.0.inner.link).await
    }

    /// Events that clients of NATS publish on `{prefix}.emit.{app}`: each goes to one of the nodes that ask for them.
    /// What is not read in time is dropped by the client, as NATS has it.
    pub async fn emits(&self) -> Result<BoxStream<'static, Emit>, Error> {
        emits::emits(&self.0.inner.link).await
    }

    /// Everything of the trait runs on the background thread, so that work goes on if its caller no longer waits:
    /// a write that was begun is finished.
    fn run<T, F>(&self, work: impl FnOnce(Arc<Inner>) -> F + Send + 'static) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let inner = Arc::clone(&self.0.inner);
        Box::pin(async move {
            let link = Arc::clone(&inner.link);
            link.run(work(inner)).await
        })
    }
}

impl Backplane for Nats {
    fn append(&self, app: &str, entries: Vec<Arc<Delivery>>, key: Option<String>) -> Answer<Appended> {
        // On the caller's thread, since it encodes; what is sent goes on without it.
        Box::pin(Arc::clone(&self.0.inner.logs).append(app.to_owned(), entries, key))
    }

    fn tail(&self, app: &str) -> Answer<Tail> {
        let app = app.to_owned();
        self.run(move |inner| Arc::clone(&inner.logs).tail(app))
    }

    fn read(&self, app: &str, after: Position, entries_max: usize) -> Answer<Vec<(Position, Arc<Delivery>)>> {
        // Mostly from memory, without another thread.
        Box::pin(Arc::clone(&self.0.inner.logs).read(app.to_owned(), after, entries_max))
    }

    fn head(&self, app: &str) -> Answer<Position> {
        let app = app.to_owned();
        self.run(move |inner| Arc::clone(&inner.logs).head(app))
    }

    fn retain(&self, app: &str, window: Window) -> Answer<()> {
        let app = app.to_owned();
        self.run(move |inner| Arc::clone(&inner.logs).retain(app, window))
    }

    fn publish(&self, topic: &str, payload: Bytes) -> Answer<()> {
        let (topic, topics) = (topic.to_owned(), Arc::clone(&self.0.inner.topics));
        Box::pin(async move { topics.publish(&topic, payload).await })
    }

    fn subscribe(&self, topic: &str) -> Answer<BoxStream<'static, Bytes>> {
        let topic = topic.to_owned();
        self.run(move |inner| Arc::clone(&inner.topics).subscribe(topic))
    }

    fn get(&self, bucket: &str, key: &str) -> Answer<Option<Value>> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.run(move |inner| async move { inner.buckets.get(&bucket, &key).await })
    }

    fn write(&self, bucket: &str, changes: Vec<Change>) -> Answer<Vec<u64>> {
        let bucket = bucket.to_owned();
        self.run(move |inner| async move { inner.buckets.write(&bucket, changes).await })
    }

    fn keys(&self, bucket: &str, prefix: &str, after: Option<&str>, keys_max: usize) -> Answer<Vec<String>> {
        let (bucket, prefix, after) = (bucket.to_owned(), prefix.to_owned(), after.map(str::to_owned));
        self.run(move |inner| async move {
            inner
                .buckets
                .keys(&bucket, &prefix, after.as_deref(), keys_max)
                .await
        })
    }

    fn put_blob(&self, blob: Bytes) -> Answer<String> {
        self.run(move |inner| async move { inner.blobs.put(blob).await })
    }

    fn get_blob(&self, digest: &str) -> Answer<Option<Bytes>> {
        let digest = digest.to_owned();
        self.run(move |inner| async move { inner.blobs.get(&digest).await })
    }

    fn delete_blob(&self, digest: &str) -> Answer<()> {
        let digest = digest.to_owned();
        self.run(move |inner| async move { inner.blobs.delete(&digest).await })
    }

    fn is_connected(&self) -> bool {
        self.0.inner.link.is_connected() && !self.0.inner.logs.is_stalled()
    }
}
