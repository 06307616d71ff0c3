use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream::{BoxStream, poll_fn};
use tokio::sync::mpsc;

use super::{Core, Net};

/// Who listens to which topic, on which node.
#[derive(Default)]
pub(super) struct Topics {
    listeners: BTreeMap<String, Vec<(usize, mpsc::UnboundedSender<Bytes>)>>,
}

impl Net {
    pub(super) fn listen(&self, node: usize, topic: &str) -> BoxStream<'static, Bytes> {
        let (send, mut receive) = mpsc::unbounded_channel();
        self.with(|core| {
            let listeners = core.topics.listeners.entry(topic.to_owned()).or_default();
            listeners.retain(|(_, listener)| !listener.is_closed());
            listeners.push((node, send));
        });
        Box::pin(poll_fn(move |cx| receive.poll_recv(cx)))
    }
}

impl Core {
    /// To everyone who listens now, each after its own delay, once, twice or not at all.
    pub(super) fn spread(&mut self, topic: &str, payload: &Bytes) {
        let listeners = self.topics.listeners.get(topic).cloned().unwrap_or_default();
        for (node, listener) in listeners {
            let link = &self.nodes[node];
            if link.cut || link.paused || link.dead || self.random.chance(self.faults.topic_lost) {
                continue;
            }
            let twice = self.random.chance(self.faults.topic_twice);
            for _ in 0..=usize::from(twice) {
                let (listener, payload) = (listener.clone(), payload.clone());
                let delay = self.faults.delay(&mut self.random);
                // A listener that went is not told.
                self.after(delay, move |_| _ = listener.send(payload));
            }
        }
    }
}
