//! This node among others: NATS, the lease, the listener for the other nodes, and what they hear from each other.
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use backplane::{Backplane, Change, Condition, Error};
use backplane_nats::{Nats, NatsConfig};
use bytes::Bytes;
use futures_util::StreamExt;
use session::{Hub, Node, Nodes, Shards};
use transport::{ClusterKey, PeerWire, Peering};

use crate::{
    BuildError, Handle,
    admin::emit,
    config::{Cluster, Config},
    logs::spread,
    metrics::NodeNumber,
};

/// What a node of a cluster has that a lone one has not.
pub(crate) struct Joined {
    pub(crate) nats: Nats,
    pub(crate) peering: Arc<Peering>,
}

const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// Emits by NATS that are under way at once; more wait at the server.
const EMITS_AT_ONCE: usize = 64;
const KEY_BUCKET: &str = "cluster";
const KEY: &str = "key";

/// Connects to NATS, for as long as that takes.
pub(crate) async fn join(cluster: &Cluster) -> Result<Joined, BuildError> {
    let nats = connect(cluster).await?;
    let key = ClusterKey::new(cluster_key(&nats).await.map_err(|error| failed(&error))?);
    let peering = Arc::new(Peering::new(key));
    Ok(Joined { nats, peering })
}

/// Whose logs a core reads itself: only where it is alone, since several would have to wait for the one that reads.
pub(crate) fn for_its_only_core(config: &Config, joined: Option<&Joined>) -> Option<Nats> {
    joined
        .filter(|_| config.cores.get() == 1)
        .map(|joined| joined.nats.clone())
}

/// Takes the lease: from now on other nodes send requests to `listen`. `apps`: names and digests.
pub(crate) async fn take_lease(
    config: &Config,
    cluster: &Cluster,
    joined: &Joined,
    listen: SocketAddr,
    apps: BTreeMap<String, String>,
) -> Result<Nodes, BuildError> {
    let wire = Arc::new(PeerWire::new(Arc::clone(&joined.peering)));
    let own = Node {
        incarnation: Nodes::draw(),
        name: config.node.clone(),
        address: cluster
            .advertise
            .clone()
            .unwrap_or_else(|| advertised(listen, &cluster.nats)),
        apps,
        catalogue: None,
        failed: BTreeMap::new(),
        draining: false,
        gone: false,
    };
    let backplane = Arc::new(joined.nats.clone());
    Nodes::join(backplane, wire, own)
        .await
        .map_err(|error| failed(&error))
}

fn failed(error: &Error) -> BuildError {
    BuildError::Start(format!("NATS: {error}"))
}

async fn connect(cluster: &Cluster) -> Result<Nats, BuildError> {
    let config = NatsConfig {
        servers: cluster.nats.clone(),
        prefix: cluster.nats_prefix.clone(),
        replicas: cluster.nats_replicas,
        credentials: cluster.nats_credentials.clone(),
        ..NatsConfig::default()
    };
    let mut pause = RETRY_MIN;
    loop {
        match Nats::connect(config.clone()).await {
            Ok(nats) => {
                let server = nats.server();
                tracing::info!(server = %server.name, version = %server.version, replicas = server.replicas, "connected to NATS");
                if let Some(advice) = server.advice {
                    tracing::warn!("{advice}");
                }
                return Ok(nats);
            }
            Err(error @ backplane_nats::ConnectError::Invalid(_)) => {
                return Err(BuildError::Start(error.to_string()));
            }
            Err(error) => tracing::error!("{error}; trying again in {} s", pause.as_secs()),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// The secret that nodes know each other by: made by the first one, kept where all of them, and nobody else, may read.
async fn cluster_key(backplane: &dyn Backplane) -> Result<[u8; 32], Error> {
    loop {
        if let Some(value) = backplane.get(KEY_BUCKET, KEY).await? {
            return value
                .bytes
                .as_ref()
                .try_into()
                .map_err(|_| Error::Unavailable("the cluster's key is damaged".into()));
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| Error::Unavailable(error.to_string()))?;
        let change = Change {
            key: KEY.to_owned(),
            value: Some(Bytes::copy_from_slice(&key)),
            condition: Condition::Absent,
        };
        match backplane.write(KEY_BUCKET, vec![change]).await {
            Ok(_) => return Ok(key),
            // Another node was first: its key counts.
            Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}

/// An address of this machine that others can reach: the one that listens, or where that is all of them, the one from
/// which NATS is reached.
fn advertised(listen: SocketAddr, nats: &str) -> String {
    if !listen.ip().is_unspecified() {
        return listen.to_string();
    }
    let first = nats.split(',').next().unwrap_or_default().trim();
    let host = first.rsplit_once("//").map_or(first, |(_, rest)| rest);
    let host = host.rsplit_once('@').map_or(host, |(_, rest)| rest);
    let host = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:4222")
    };
    // Nothing is sent: connecting a UDP socket asks the routing table.
    let outgoing = |any: &str| {
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(&host).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let ip = outgoing("0.0.0.0:0").or_else(|| outgoing("[::]:0"));
    let ip = ip.unwrap_or_else(|| IpAddr::from([127, 0, 0, 1]));
    SocketAddr::new(ip, listen.port()).to_string()
}

/// What a node of a cluster does beside serving, on the node's own runtime, until that ends.
pub(crate) fn spawn(handle: &Handle) {
    let Some(joined) = &handle.0.joined else { return };
    let (nodes, shards) = (handle.nodes().clone(), handle.0.shards.clone());
    tokio::spawn(nodes.keep(move || reassert(&shards)));
    tokio::spawn(compare_versions(handle.clone()));
    tokio::spawn(take_emits(handle.clone(), joined.nats.clone()));
    let (book, backplane) = (Arc::clone(handle.logs()), handle.shared_backplane());
    tokio::spawn(spread::serve(book, backplane, handle.nodes().own().incarnation));
}

fn reassert(shards: &Shards) {
    shards.run_everywhere(|hub: Hub| hub.reassert());
}

/// Says it when another node runs something else under the same name: once for each difference.
async fn compare_versions(handle: Handle) {
    let Some(mut changes) = handle.nodes().changes() else {
        return;
    };
    let mut said: Vec<(String, String)> = Vec::new();
    loop {
        let own = handle.nodes().own();
        let others = handle.nodes().others();
        let found = others.iter().flat_map(|node| {
            let differs = differences(&own, node).into_iter();
            differs.map(|app| (node.name.clone(), app))
        });
        let found: Vec<_> = found.collect();
        for (node, app) in found.iter().filter(|difference| !said.contains(difference)) {
            tracing::warn!(%app, %node, "that node runs another component of the app than this one");
        }
        said = found;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Apps that both nodes run, in different versions.
pub(crate) fn differences(own: &Node, other: &Node) -> Vec<String> {
    let differs =
        |(app, digest): &(&String, &String)| own.apps.get(*app).is_some_and(|known| known != *digest);
    other
        .apps
        .iter()
        .filter(differs)
        .map(|(app, _)| app.clone())
        .collect()
}

/// Emits that programs publish on NATS.
async fn take_emits(handle: Handle, nats: Nats) {
    let emits = loop {
        match nats.emits().await {
            Ok(emits) => break emits,
            Err(error) => tracing::warn!(%error, "emits by NATS are not taken yet; trying again"),
        }
        tokio::time::sleep(RETRY_MIN).await;
    };
    let handle = &handle;
    let each = emits.for_each_concurrent(EMITS_AT_ONCE, async |asked| {
        let answer = emit::from_nats(handle, &asked.app, &asked.payload).await;
        if let Err(error) = asked.answer(answer.to_string().into()).await {
            tracing::debug!(%error, "an answer did not reach the program that emitted");
        }
    });
    each.await;
}

impl Joined {
    pub(crate) fn numbers(&self, nodes: &Nodes) -> Vec<NodeNumber> {
        let (nats, peers) = (self.nats.stats(), self.peering.stats());
        let connected = u64::from(self.nats.is_connected());
        vec![
            (
                "nats_connected",
                "gauge",
                "Whether NATS can be reached.",
                connected,
            ),
            (
                "nodes",
                "gauge",
                "Nodes that live, this one included.",
                nodes.others().len() as u64 + 1,
            ),
            (
                "nats_reconnects_total",
                "counter",
                "Times that a connection to NATS came back.",
                nats.reconnects,
            ),
            (
                "nats_appends_total",
                "counter",
                "Appends that NATS accepted.",
                nats.appends,
            ),
            (
                "nats_retries_total",
                "counter",
                "Messages sent again for want of an answer.",
                nats.retries,
            ),
            (
                "nats_gaps_total",
                "counter",
                "Times that entries of a log were missed for good.",
                nats.gaps,
            ),
            (
                "nats_dropped_total",
                "counter",
                "Volatile events dropped for a subscriber that was behind.",
                nats.dropped,
            ),
            (
                "nats_in_flight",
                "gauge",
                "Messages that NATS has not answered yet.",
                nats.in_flight,
            ),
            (
                "forwards_total",
                "counter",
                "Requests carried to the node of their session.",
                peers.requests,
            ),
            (
                "forwards_failed_total",
                "counter",
                "Those that their node did not answer.",
                peers.failed,
            ),
            (
                "forwarded_websockets",
                "gauge",
                "WebSockets carried to another node now.",
                peers.websockets,
            ),
        ]
    }
}
