//! Between nodes: what belongs to a session is sent to the session's home, over the nodes' own listener.
//!
//! Polls, posts and questions share one HTTP/2 connection a core and node: a thousand polls that wait cost streams, not
//! descriptors, and one that its client gave up is reset without harm to the others. A WebSocket has an HTTP/1.1
//! connection of its own, which becomes the WebSocket: TCP's back-pressure reaches from the client to the home.
mod ask;
mod carry;
mod copy;
mod forward;
mod headers;
mod links;
mod seal;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use session::Node;
use tokio::sync::watch;

pub use ask::PeerWire;
pub(crate) use ask::{ASK_PATH, answer};
pub(crate) use carry::carry;
pub(crate) use forward::forward;
pub(crate) use headers::drop_ours;
pub(crate) use seal::{Sent, Unsealed, admit, unauthorised};

use links::{Links, Missed};

/// What the nodes of a cluster share, and nobody else knows. Who has it can be any client of any app.
#[derive(Clone)]
pub struct ClusterKey([u8; 32]);

/// What a node needs to send requests to others and to take theirs. Shared by all cores and both listeners.
pub struct Peering {
    key: ClusterKey,
    links: Links,
    counters: Counters,
}

/// What went to other nodes so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeeringStats {
    /// All of the next three.
    pub requests: u64,
    pub polls: u64,
    /// POSTs, and odd methods.
    pub posts: u64,
    /// WebSockets that were asked for, accepted there or not.
    pub upgrades: u64,
    /// Of the requests, those that the other node did not answer.
    pub failed: u64,
    /// WebSockets of other nodes' sessions whose clients are connected here, now.
    pub websockets: u64,
}

#[derive(Default)]
struct Counters {
    polls: AtomicU64,
    posts: AtomicU64,
    upgrades: AtomicU64,
    failed: AtomicU64,
    websockets: AtomicU64,
}

/// A public listener's way to other nodes.
pub(crate) struct Outward {
    pub(crate) peering: Arc<Peering>,
    /// Ends when the listener stops: carried WebSockets then end, too.
    pub(crate) stopping: watch::Receiver<()>,
}

/// Where a request is to go, and what to say if nobody answers there.
pub(crate) struct There {
    pub(crate) node: Arc<Node>,
    pub(crate) missed: session::Refusal,
}

impl ClusterKey {
    /// 32 bytes that cannot be guessed: drawn, or derived from a longer secret.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// Says nothing.
impl fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterKey")
    }
}

impl Peering {
    pub fn new(key: ClusterKey) -> Self {
        Self {
            key,
            links: Links::default(),
            counters: Counters::default(),
        }
    }

    pub fn stats(&self) -> PeeringStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters {
            polls,
            posts,
            upgrades,
            failed,
            websockets,
        } = &self.counters;
        let (polls, posts, upgrades) = (count(polls), count(posts), count(upgrades));
        PeeringStats {
            requests: polls + posts + upgrades,
            polls,
            posts,
            upgrades,
            failed: count(failed),
            websockets: count(websockets),
        }
    }

    /// The other node gave no answer.
    fn missed(&self, node: &Node, missed: &Missed) {
        increment(&self.counters.failed);
        match missed {
            Missed::Refused | Missed::Busy => {
                tracing::warn!(node = %node.name, %missed, "a request for another node was not answered there");
            }
            _ => {
                tracing::debug!(node = %node.name, %missed, "a request for another node was not answered there");
            }
        }
    }
}

fn increment(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
