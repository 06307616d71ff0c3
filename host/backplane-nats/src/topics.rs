use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use async_nats::Subscriber;
use backplane::{Bounds, Error, Queue, check_name, check_payload};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, interval, sleep, timeout},
};

use crate::{
    link::{DEADLINE, Link, closed},
    names::random,
    stats::count,
};

use chunks::Chunks;
use frame::{Chunk, Frame};

mod chunks;
mod frame;

/// Publish/subscribe over plain subjects: at most once. One subscription a topic and node, handed on here; it
/// outlives its last subscriber for a while, since servers suffer from subscriptions that come and go.
pub(crate) struct Topics {
    link: Arc<Link>,
    topics: Mutex<HashMap<String, Arc<Topic>>>,
}

struct Topic {
    name: String,
    subscribers: Mutex<Vec<Arc<Queue<Bytes>>>>,
    /// Whether the subscription is in force.
    ready: watch::Sender<bool>,
}

impl Topics {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            topics: Mutex::default(),
        }
    }

    /// Fails at once while there is no connection: what is volatile is not queued.
    pub(crate) async fn publish(&self, topic: &str, payload: Bytes) -> Result<(), Error> {
        check_name("topic", topic)?;
        check_payload(&payload)?;
        let subject = self.link.names.topic(topic);
        let most = self.link.payload_max();
        if payload.len() <= most {
            return self.send(subject, Frame::Whole(payload).encode(topic)).await;
        }
        let (id, count) = (random(), payload.len().div_ceil(most) as u32);
        let mut rest = payload;
        for index in 0..count {
            let bytes = rest.split_to(most.min(rest.len()));
            let chunk = Frame::Chunk(Chunk {
                id,
                index,
                count,
                bytes,
            });
            self.send(subject.clone(), chunk.encode(topic)).await?;
        }
        Ok(())
    }

    async fn send(&self, subject: String, frame: Bytes) -> Result<(), Error> {
        if !self.link.is_connected() {
            return Err(Error::Unavailable("NATS is not connected".into()));
        }
        // On the connection of subscriptions: what is published before one is not delivered to it.
        let sent = self.link.data.client.publish(subject, frame).await;
        sent.map_err(|error| Error::Unavailable(error.to_string()))
    }

    pub(crate) async fn subscribe(self: Arc<Self>, name: String) -> Result<BoxStream<'static, Bytes>, Error> {
        check_name("topic", &name)?;
        let queue = Arc::new(Queue::new(SUBSCRIPTION));
        let topic = self.join(&name, &queue);
        let subscription = Subscription {
            queue,
            topic: Arc::downgrade(&topic),
        };
        let mut ready = topic.ready.subscribe();
        match timeout(DEADLINE, ready.wait_for(|ready| *ready)).await {
            Ok(Ok(_)) => Ok(Box::pin(subscription)),
            Ok(Err(_)) => Err(closed()),
            Err(_) => Err(Error::Unavailable("NATS does not take the subscription".into())),
        }
    }

    /// Under one lock with the topic's leaving, so that nobody joins a topic that has left.
    fn join(self: &Arc<Self>, name: &str, queue: &Arc<Queue<Bytes>>) -> Arc<Topic> {
        let mut topics = self.topics.lock();
        let topic = topics.entry(name.to_owned()).or_insert_with(|| {
            let topic = Arc::new(Topic {
                name: name.to_owned(),
                subscribers: Mutex::default(),
                ready: watch::Sender::new(false),
            });
            self.link
                .handle
                .spawn(follow(Arc::clone(self), Arc::clone(&topic)));
            topic
        });
        topic.subscribers.lock().push(Arc::clone(queue));
        Arc::clone(topic)
    }

    /// Whether nobody subscribes: then it is forgotten.
    fn leave(&self, topic: &Topic) -> bool {
        let mut topics = self.topics.lock();
        let nobody = topic.subscribers.lock().is_empty();
        if nobody {
            topics.remove(&topic.name);
        }
        nobody
    }

    pub(crate) fn close(&self) {
        for topic in self.topics.lock().values() {
            let queues = std::mem::take(&mut *topic.subscribers.lock());
            queues
                .iter()
                .filter_map(|queue| queue.close())
                .for_each(Waker::wake);
        }
    }
}

/// Holds a topic's subscription, until nobody has wanted it for a while.
async fn follow(topics: Arc<Topics>, topic: Arc<Topic>) {
    let subject = topics.link.names.topic(&topic.name);
    let mut messages: Option<Subscriber> = None;
    let mut chunks = Chunks::default();
    let nonce = random();
    let mut ticks = interval(PROBE_EVERY);
    let mut wanted = Instant::now();
    loop {
        let Some(subscribed) = &mut messages else {
            match topics.link.data.client.subscribe(subject.clone()).await {
                Ok(subscribed) => messages = Some(subscribed),
                Err(error) => {
                    tracing::warn!(%error, "nats: subscribing to a topic");
                    sleep(PROBE_EVERY).await;
                }
            }
            continue;
        };
        tokio::select! {
            message = subscribed.next() => match message.map(|message| Frame::decode(&topic.name, message.payload)) {
                Some(Some(Frame::Whole(payload))) => topic.hand_on(&topics.link, &payload),
                Some(Some(Frame::Chunk(chunk))) => {
                    if let Some(payload) = chunks.add(chunk) {
                        topic.hand_on(&topics.link, &payload);
                    }
                }
                Some(Some(Frame::Probe(found))) if found == nonce => drop(topic.ready.send_replace(true)),
                Some(_) => {}
                None => messages = None,
            },
            _ = ticks.tick() => {
                if !*topic.ready.borrow() {
                    // On the connection of the subscription: the server takes them in order.
                    let probe = Frame::Probe(nonce).encode(&topic.name);
                    drop(topics.link.data.client.publish(subject.clone(), probe).await);
                }
                if !topic.subscribers.lock().is_empty() {
                    wanted = Instant::now();
                } else if wanted.elapsed() > LINGER && topics.leave(&topic) {
                    return;
                }
            }
        }
    }
}

impl Topic {
    fn hand_on(&self, link: &Link, payload: &Bytes) {
        let mut wakers = Vec::new();
        for queue in &*self.subscribers.lock() {
            if queue.has_room() {
                wakers.extend(queue.push(payload.clone(), payload.len()));
            } else {
                count(&link.counters.dropped);
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Payloads of a topic. Dropping it ends the subscription.
struct Subscription {
    queue: Arc<Queue<Bytes>>,
    topic: Weak<Topic>,
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
        if let Some(topic) = self.topic.upgrade() {
            topic
                .subscribers
                .lock()
                .retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        }
    }
}

/// What a subscriber may have unread; what finds it full is dropped.
const SUBSCRIPTION: Bounds = Bounds {
    items_max: 4096,
    bytes_max: 16 << 20,
};
const LINGER: Duration = Duration::from_secs(10);
const PROBE_EVERY: Duration = Duration::from_millis(250);
