//! Several nodes in one process, each with a listener for clients and one for the others, on one backplane.
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use backplane::{Backplane, Embedded};
use session::Nodes;
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinHandle, LocalSet, spawn_local},
};
use transport::{ClusterKey, PeerWire, Peering};

use crate::node::{Node, Setup};

pub(crate) const KEY: [u8; 32] = [7; 32];

pub(crate) struct Cluster {
    pub(crate) members: Vec<Member>,
}

pub(crate) struct Member {
    pub(crate) node: Node,
    pub(crate) peering: Arc<Peering>,
    /// Of its listener for other nodes.
    pub(crate) inward: SocketAddr,
    /// All that runs of it, in a set of its own.
    life: JoinHandle<()>,
}

impl Cluster {
    /// Nodes that see each other, those that joined later at once, others when they ask.
    pub(crate) async fn start(count: usize, change: impl Fn(usize, &mut Setup) + Clone + 'static) -> Self {
        let backplane: Arc<dyn Backplane> = Arc::new(Embedded::in_memory());
        let mut members = Vec::new();
        for index in 0..count {
            let change = change.clone();
            members.push(Member::start(Arc::clone(&backplane), index, change).await);
        }
        Self { members }
    }

    pub(crate) fn node(&self, index: usize) -> &Node {
        &self.members[index].node
    }

    pub(crate) fn peering(&self, index: usize) -> &Peering {
        &self.members[index].peering
    }

    /// As a `kill -9`: all its connections and listeners are gone, its lease is not.
    pub(crate) async fn kill(&mut self, index: usize) {
        let life = &mut self.members[index].life;
        life.abort();
        _ = life.await;
    }
}

impl Member {
    async fn start(
        backplane: Arc<dyn Backplane>,
        index: usize,
        change: impl FnOnce(usize, &mut Setup) + 'static,
    ) -> Self {
        let (started, start) = oneshot::channel();
        let set = LocalSet::new();
        set.spawn_local(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let inward = listener.local_addr().unwrap();
            let key = ClusterKey::new(KEY);
            let peering = Arc::new(Peering::new(key));
            let mut setup = Setup::new();
            setup.config.cluster = Some(peering.clone());
            change(index, &mut setup);
            let address = setup.advertise.clone().unwrap_or_else(|| inward.to_string());
            let own = session::Node {
                incarnation: Nodes::draw(),
                name: format!("node-{index}"),
                address,
                apps: BTreeMap::new(),
                catalogue: None,
                failed: BTreeMap::new(),
                draining: false,
                gone: false,
            };
            let wire = Arc::new(PeerWire::new(peering.clone()));
            let nodes = Nodes::join(backplane.clone(), wire, own).await.unwrap();
            spawn_local(nodes.clone().keep(|| {}));
            let node = Node::assemble(setup, nodes, backplane, Some(listener)).await;
            _ = started.send((node, peering, inward));
        });
        let life = spawn_local(set);
        let (node, peering, inward) = start.await.unwrap();
        Self {
            node,
            peering,
            inward,
            life,
        }
    }
}

/// Waits, by looking again and again, for what no event tells of. Bounded by the test's own limit.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
