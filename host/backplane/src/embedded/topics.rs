use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use futures_util::Stream;
use parking_lot::RwLock;

use crate::{Bounds, Queue};

/// Publish/subscribe, at most once: a subscriber that does not keep up misses what finds its queue full.
#[derive(Default)]
pub(super) struct Topics {
    /// A topic is here as long as it has subscribers.
    subscribers: RwLock<HashMap<Arc<str>, Subscribers>>,
    dropped: AtomicU64,
}

impl Topics {
    pub(super) fn publish(&self, topic: &str, payload: &Bytes) {
        let mut wakers = Vec::new();
        if let Some(subscribers) = self.subscribers.read().get(topic) {
            for queue in subscribers {
                if queue.has_room() {
                    wakers.extend(queue.push(payload.clone(), payload.len()));
                } else {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(super) fn subscribe(self: &Arc<Self>, topic: &str) -> Subscription {
        let queue = Arc::new(Queue::new(SUBSCRIPTION));
        let topic = Arc::<str>::from(topic);
        let mut subscribers = self.subscribers.write();
        subscribers
            .entry(Arc::clone(&topic))
            .or_default()
            .push(Arc::clone(&queue));
        Subscription {
            topic,
            queue,
            topics: Arc::downgrade(self),
        }
    }

    /// Payloads that some subscriber had no room for.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn close(&self) {
        let queues = std::mem::take(&mut *self.subscribers.write());
        queues
            .values()
            .flatten()
            .filter_map(|queue| queue.close())
            .for_each(Waker::wake);
    }
}

type Subscribers = Vec<Arc<Queue<Bytes>>>;

/// Payloads of a topic. Dropping it ends the subscription.
pub(super) struct Subscription {
    topic: Arc<str>,
    queue: Arc<Queue<Bytes>>,
    topics: Weak<Topics>,
}

impl Stream for Subscription {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let popped = ready!(self.queue.poll_pop(cx));
        Poll::Ready(popped.map(|popped| popped.item))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(topics) = self.topics.upgrade() else {
            return;
        };
        let mut subscribers = topics.subscribers.write();
        if let Some(queues) = subscribers.get_mut(&self.topic) {
            queues.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
            if queues.is_empty() {
                subscribers.remove(&self.topic);
            }
        }
    }
}

const SUBSCRIPTION: Bounds = Bounds {
    items_max: 4096,
    bytes_max: 16 << 20,
};
