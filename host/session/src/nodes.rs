//! Which nodes there are: each keeps a lease in the backplane, and looks at those of the others.
//!
//! A lease says nothing about clocks: a node is dead when its lease has not changed for [`LEASE`] by the clock of whoever
//! looks, and that one could look all the while. Being thought dead costs a node nothing but its sockets: their records
//! are fenced by revision, so what it still does to one that was taken over fails.
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use backplane::{Backplane, Error, Value};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::Instant};

use crate::ids;

mod look;

/// A node of the cluster, as its lease has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Names the process: drawn at start, so that a restarted node is another. 36 bits.
    pub incarnation: u64,
    /// What its operator calls it.
    pub name: String,
    /// Host and port of its listener for other nodes.
    pub address: String,
    /// Which version it runs of apps that it has from folders: name and digest of the component.
    pub apps: BTreeMap<String, String>,
    /// How many changes of the apps that are the cluster's it has taken in. `None`: it has not said yet.
    #[serde(default)]
    pub catalogue: Option<u64>,
    /// Some of the apps that it cannot run as the catalogue has them, and why.
    #[serde(default)]
    pub failed: BTreeMap<String, String>,
    /// Takes no new sessions.
    pub draining: bool,
    /// Has left: kept for as long as it takes all others to see it.
    pub gone: bool,
}

/// Asks other nodes. Implemented over their listeners; by simulations with channels.
pub trait Wire: Send + Sync + 'static {
    /// Brings a question to a node and its answer back (see [`crate::Shards::answer`]). Ends within 5 s.
    fn ask(&self, node: Arc<Node>, question: Bytes) -> BoxFuture<'static, Result<Bytes, Unreachable>>;
}

/// A node did not answer. It may live all the same.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("node {node} did not answer: {reason}")]
pub struct Unreachable {
    pub node: String,
    pub reason: String,
}

/// The nodes of the cluster, this one first. Cheap to clone, any thread.
#[derive(Clone)]
pub struct Nodes(Arc<Inner>);

struct Inner {
    incarnation: u64,
    own: Mutex<Node>,
    /// `None`: this node is alone and always was.
    cluster: Option<Cluster>,
}

struct Cluster {
    backplane: Arc<dyn Backplane>,
    wire: Arc<dyn Wire>,
    view: Mutex<View>,
    /// Counts changes of who is there.
    changes: watch::Sender<u64>,
    /// The lease was renewed, and the others' were seen, in the last round.
    ready: AtomicBool,
    /// Revision of the lease as this node wrote it last.
    lease: Mutex<Option<u64>>,
    /// The lease was found gone, or overwritten: others took this node for dead.
    lapsed: AtomicBool,
    deaths: AtomicU64,
}

struct View {
    others: HashMap<u64, Seen>,
    /// Nodes that have left, since their leases were first seen to say so.
    gone: HashMap<u64, Instant>,
    /// When all leases were last read.
    looked: Instant,
    /// Incarnations that were looked for in vain, and when.
    unknown: HashMap<u64, Instant>,
    /// Those that clients named while they were not known, and when first.
    claimed: HashMap<u64, Instant>,
}

/// A lease and since when it has not changed.
struct Seen {
    node: Arc<Node>,
    revision: u64,
    since: Instant,
}

/// Leases are renewed this often.
pub(crate) const RENEWAL: Duration = Duration::from_secs(2);
/// A lease that has not changed for this long is a dead node's.
pub(crate) const LEASE: Duration = Duration::from_secs(8);

impl Nodes {
    /// A new identity for a process, never 0.
    pub fn draw() -> u64 {
        (u64::from_le_bytes(ids::random()) >> (64 - ids::INCARNATION_BITS)).max(1)
    }

    /// A node that shares its backplane with nobody.
    pub fn alone() -> Self {
        let own = Node {
            incarnation: Self::draw(),
            name: String::new(),
            address: String::new(),
            apps: BTreeMap::new(),
            catalogue: None,
            failed: BTreeMap::new(),
            draining: false,
            gone: false,
        };
        Self(Arc::new(Inner {
            incarnation: own.incarnation,
            own: Mutex::new(own),
            cluster: None,
        }))
    }

    /// Takes a lease and sees who else is there. [`Self::keep`] must run from then on.
    pub async fn join(backplane: Arc<dyn Backplane>, wire: Arc<dyn Wire>, own: Node) -> Result<Self, Error> {
        let view = View {
            others: HashMap::new(),
            gone: HashMap::new(),
            looked: Instant::now(),
            unknown: HashMap::new(),
            claimed: HashMap::new(),
        };
        let cluster = Cluster {
            backplane,
            wire,
            view: Mutex::new(view),
            changes: watch::Sender::new(0),
            ready: AtomicBool::new(false),
            lease: Mutex::new(None),
            lapsed: AtomicBool::new(false),
            deaths: AtomicU64::new(0),
        };
        let nodes = Self(Arc::new(Inner {
            incarnation: own.incarnation,
            own: Mutex::new(own),
            cluster: Some(cluster),
        }));
        nodes.round().await?;
        Ok(nodes)
    }

    pub fn incarnation(&self) -> u64 {
        self.0.incarnation
    }

    /// This node, as its lease has it or will have it.
    pub fn own(&self) -> Node {
        self.0.own.lock().clone()
    }

    /// Changes what the lease says, with the next renewal (see [`Self::renew`]).
    pub fn update(&self, change: impl FnOnce(&mut Node)) {
        change(&mut self.0.own.lock());
    }

    /// Every other node that lives, in order of their incarnations.
    pub fn others(&self) -> Vec<Arc<Node>> {
        let Some(cluster) = &self.0.cluster else {
            return Vec::new();
        };
        let mut others: Vec<_> = cluster
            .view
            .lock()
            .others
            .values()
            .map(|seen| seen.node.clone())
            .collect();
        others.sort_unstable_by_key(|node| node.incarnation);
        others
    }

    /// Those of them that may have sockets of an app: all, unless it is from a folder; then those that have it, too, and
    /// those that have not said yet what they have.
    pub(crate) fn running(&self, app: &str) -> Vec<Arc<Node>> {
        let mut others = self.others();
        if self.0.own.lock().apps.contains_key(app) {
            others.retain(|node| node.apps.is_empty() || node.apps.contains_key(app));
        }
        others
    }

    /// Whether this node is one of a cluster.
    pub fn is_cluster(&self) -> bool {
        self.0.cluster.is_some()
    }

    /// Whether this node keeps its lease, sees the others' and reaches them.
    pub fn is_ready(&self) -> bool {
        self.0
            .cluster
            .as_ref()
            .is_none_or(|cluster| cluster.ready.load(Ordering::Acquire) && cluster.backplane.is_connected())
    }

    /// A living node, asked for in the backplane if it is not known yet. `None`: it is dead, or never was. An error: that
    /// cannot be known now. For incarnations that nodes wrote; see [`Self::find_claimed`].
    pub(crate) async fn find(&self, incarnation: u64) -> Result<Option<Arc<Node>>, Error> {
        let Some(cluster) = &self.0.cluster else {
            return Ok(None);
        };
        if let Some(known) = self.known(incarnation) {
            return Ok(Some(known));
        }
        if cluster.view.lock().is_unknown(incarnation) {
            return Ok(None);
        }
        let value = cluster.backplane.get(BUCKET, &key(incarnation)).await?;
        let found = value.and_then(|value| self.seen(incarnation, &value));
        if found.is_none() {
            cluster.view.lock().unknown.insert(incarnation, Instant::now());
        }
        Ok(found)
    }

    /// The same for an incarnation that a client sent, who may have made it up: an error where clients ask for too many
    /// that are not known. What nodes look for is not held up by that.
    pub(crate) async fn find_claimed(&self, incarnation: u64) -> Result<Option<Arc<Node>>, Error> {
        let Some(cluster) = &self.0.cluster else {
            return Ok(None);
        };
        if self.known(incarnation).is_none() {
            cluster.view.lock().admit_claim(incarnation)?;
        }
        self.find(incarnation).await
    }

    /// A node that lives, without asking anybody.
    fn known(&self, incarnation: u64) -> Option<Arc<Node>> {
        let cluster = self.0.cluster.as_ref()?;
        let view = cluster.view.lock();
        view.others.get(&incarnation).map(|seen| seen.node.clone())
    }

    /// Rings whenever a node came, went or changed. `None` if this node is alone.
    pub fn changes(&self) -> Option<watch::Receiver<u64>> {
        self.0.cluster.as_ref().map(|cluster| cluster.changes.subscribe())
    }

    pub(crate) async fn ask(&self, node: Arc<Node>, question: Bytes) -> Result<Bytes, Unreachable> {
        match &self.0.cluster {
            Some(cluster) => cluster.wire.ask(node, question).await,
            None => Err(Unreachable {
                node: node.name.clone(),
                reason: "this node is alone".into(),
            }),
        }
    }

    /// Which of the living nodes does something that one is to do, by its name. All nodes with the same view agree; a
    /// node that drains does nothing while there is another.
    pub fn is_chosen(&self, task: &str) -> bool {
        let own = self.own();
        let others = self.others();
        let others = others.iter().filter(|node| !node.draining);
        let best = others.map(|node| weight(task, node.incarnation)).max();
        match best {
            None => true,
            Some(_) if own.draining => false,
            Some(best) => weight(task, own.incarnation) > best,
        }
    }

    /// Gives the lease up: the others take over what this node leaves. It is not deleted, since a lease that came and went
    /// between two looks of another node would never have been.
    pub async fn leave(&self) -> Result<(), Error> {
        self.update(|node| node.gone = true);
        self.renew().await
    }

    /// Counts what may have left sockets without a home: nodes that died or left, and times in which that could not be seen.
    pub(crate) fn deaths(&self) -> u64 {
        self.0
            .cluster
            .as_ref()
            .map_or(0, |cluster| cluster.deaths.load(Ordering::Acquire))
    }

    fn seen(&self, incarnation: u64, value: &Value) -> Option<Arc<Node>> {
        let node: Arc<Node> = Arc::new(serde_json::from_slice(&value.bytes).ok()?);
        if node.gone {
            return None;
        }
        let cluster = self.0.cluster.as_ref()?;
        let seen = Seen {
            node: node.clone(),
            revision: value.revision,
            since: Instant::now(),
        };
        cluster.view.lock().others.insert(incarnation, seen);
        cluster.changes.send_modify(|count| *count += 1);
        Some(node)
    }
}

impl View {
    /// Whether it was looked for in vain just now: one look an id and second.
    fn is_unknown(&mut self, incarnation: u64) -> bool {
        forget_old(&mut self.unknown);
        self.unknown.contains_key(&incarnation)
    }

    /// Bounds what made-up ids cost: an error instead of more than [`CLAIMED_MAX`] different ones in a second.
    fn admit_claim(&mut self, incarnation: u64) -> Result<(), Error> {
        forget_old(&mut self.claimed);
        if self.claimed.len() >= CLAIMED_MAX && !self.claimed.contains_key(&incarnation) {
            return Err(Error::Unavailable("too many unknown nodes are looked for".into()));
        }
        self.claimed.entry(incarnation).or_insert_with(Instant::now);
        Ok(())
    }
}

fn forget_old(looks: &mut HashMap<u64, Instant>) {
    let now = Instant::now();
    looks.retain(|_, looked| now.duration_since(*looked) < UNKNOWN_KEPT);
}

fn weight(task: &str, incarnation: u64) -> u64 {
    let hash = ids::hash(task.bytes().chain(incarnation.to_le_bytes()));
    // FNV's high bits say little of its last bytes.
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

fn key(incarnation: u64) -> String {
    format!("{incarnation:x}")
}

/// The bucket of leases.
const BUCKET: &str = "nodes";
const UNKNOWN_KEPT: Duration = Duration::from_secs(1);
const CLAIMED_MAX: usize = 64;

#[cfg(test)]
mod tests;
