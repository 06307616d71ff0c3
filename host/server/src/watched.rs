//! The backplane as a node sees it, and how many of its streams are listened to.
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use backplane::{Answer, Appended, Backplane, Change, Error, Tail, Value, Window};
use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, stream::BoxStream};
use router::{Delivery, Position};

/// Passes everything on, and counts what is subscribed to: topics and tails of logs.
pub(crate) struct Watched {
    inner: Arc<dyn Backplane>,
    subscriptions: Subscriptions,
}

/// How many streams of the backplane live in this process.
#[derive(Clone, Default)]
pub(crate) struct Subscriptions(Arc<AtomicUsize>);

impl Subscriptions {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Relaxed)
    }

    fn count_while<T: Send + 'static>(&self, stream: BoxStream<'static, T>) -> BoxStream<'static, T> {
        self.0.fetch_add(1, Relaxed);
        let counted = Counted {
            stream,
            subscriptions: self.clone(),
        };
        counted.boxed()
    }
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn Backplane>) -> Self {
        Self {
            inner,
            subscriptions: Subscriptions::default(),
        }
    }

    pub(crate) fn subscriptions(&self) -> Subscriptions {
        self.subscriptions.clone()
    }
}

/// A stream that is counted until it is dropped.
struct Counted<T> {
    stream: BoxStream<'static, T>,
    subscriptions: Subscriptions,
}

impl<T> Stream for Counted<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.stream.poll_next_unpin(cx)
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        self.subscriptions.0.fetch_sub(1, Relaxed);
    }
}

impl Backplane for Watched {
    fn append(&self, app: &str, entries: Vec<Arc<Delivery>>, key: Option<String>) -> Answer<Appended> {
        self.inner.append(app, entries, key)
    }

    fn tail(&self, app: &str) -> Answer<Tail> {
        let (tail, subscriptions) = (self.inner.tail(app), self.subscriptions.clone());
        let counted = move |tail: Tail| Tail {
            start: tail.start,
            steps: subscriptions.count_while(tail.steps),
        };
        tail.map(|tail| tail.map(counted)).boxed()
    }

    fn read(&self, app: &str, after: Position, entries_max: usize) -> Answer<Vec<(Position, Arc<Delivery>)>> {
        self.inner.read(app, after, entries_max)
    }

    fn head(&self, app: &str) -> Answer<Position> {
        self.inner.head(app)
    }

    fn retain(&self, app: &str, window: Window) -> Answer<()> {
        self.inner.retain(app, window)
    }

    fn publish(&self, topic: &str, payload: Bytes) -> Answer<()> {
        self.inner.publish(topic, payload)
    }

    fn subscribe(&self, topic: &str) -> Answer<BoxStream<'static, Bytes>> {
        let (stream, subscriptions) = (self.inner.subscribe(topic), self.subscriptions.clone());
        let counted = move |stream: Result<_, Error>| stream.map(|stream| subscriptions.count_while(stream));
        stream.map(counted).boxed()
    }

    fn get(&self, bucket: &str, key: &str) -> Answer<Option<Value>> {
        self.inner.get(bucket, key)
    }

    fn write(&self, bucket: &str, changes: Vec<Change>) -> Answer<Vec<u64>> {
        self.inner.write(bucket, changes)
    }

    fn keys(&self, bucket: &str, prefix: &str, after: Option<&str>, keys_max: usize) -> Answer<Vec<String>> {
        self.inner.keys(bucket, prefix, after, keys_max)
    }

    fn put_blob(&self, blob: Bytes) -> Answer<String> {
        self.inner.put_blob(blob)
    }

    fn get_blob(&self, digest: &str) -> Answer<Option<Bytes>> {
        self.inner.get_blob(digest)
    }

    fn delete_blob(&self, digest: &str) -> Answer<()> {
        self.inner.delete_blob(digest)
    }

    fn is_connected(&self) -> bool {
        self.inner.is_connected()
    }
}

#[cfg(test)]
mod tests;
