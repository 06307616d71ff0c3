use std::{cell::Cell, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};

use backplane::{Backplane, Embedded};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use session::{
    AppEntry, AppSettings, Handshake, Hub, Node, Nodes, OpenRequest, Protocol, Shards, Unreachable, Wire,
};
use tokio::task::LocalSet;

use crate::{Calls, Client, app::Chat};

/// One node of one or more cores, all on this thread.
pub struct Rig {
    pub hubs: Vec<Hub>,
    pub app: Rc<AppEntry>,
    pub calls: Calls,
    /// How long `handle-disconnect` takes; no time unless told.
    pub goodbye: Rc<Cell<Duration>>,
    pub backplane: Arc<dyn Backplane>,
}

/// Runs a test body on a paused clock: timers fire as soon as nothing else can happen.
pub fn run<R>(body: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let local = LocalSet::new();
    // A test that waits for what never comes ends after a virtual day, and says so.
    let patience = Duration::from_secs(24 * 3600);
    runtime.block_on(local.run_until(async { tokio::time::timeout(patience, body).await.unwrap() }))
}

impl Rig {
    pub fn new(cores: usize) -> Self {
        Self::with(cores, crate::settings())
    }

    pub fn with(cores: usize, settings: AppSettings) -> Self {
        Self::on(Arc::new(Embedded::in_memory()), cores, settings)
    }

    /// A process over a backplane that another may have used before.
    pub fn on(backplane: Arc<dyn Backplane>, cores: usize, settings: AppSettings) -> Self {
        Self::of(Nodes::alone(), backplane, cores, settings)
    }

    /// A node of a cluster whose nodes cannot ask each other anything, and see no lease run out.
    pub async fn cut_off(backplane: Arc<dyn Backplane>) -> Self {
        let own = Node {
            incarnation: Nodes::draw(),
            name: "node".into(),
            address: String::new(),
            apps: BTreeMap::new(),
            catalogue: None,
            failed: BTreeMap::new(),
            draining: false,
            gone: false,
        };
        let nodes = Nodes::join(backplane.clone(), Arc::new(NoRoad), own)
            .await
            .unwrap();
        Self::of(nodes, backplane, 1, crate::settings())
    }

    fn of(nodes: Nodes, backplane: Arc<dyn Backplane>, cores: usize, settings: AppSettings) -> Self {
        let (calls, goodbye) = (Calls::default(), Rc::<Cell<Duration>>::default());
        let app = Rc::new(AppEntry {
            name: "chat".into(),
            settings: Arc::new(settings),
            code: Rc::new(Chat {
                calls: calls.clone(),
                goodbye: goodbye.clone(),
            }),
            quota: Arc::default(),
        });
        let (shards, inboxes) = Shards::new(cores, nodes);
        let hubs = (0..)
            .zip(inboxes)
            .map(|(shard, inbox)| Hub::start(shard, shards.clone(), inbox, backplane.clone()))
            .collect();
        Self {
            hubs,
            app,
            calls,
            goodbye,
            backplane,
        }
    }

    /// The process is killed and a new one starts on what the backplane has. Connections are gone without a word; what
    /// this one would still have written is not written, since its record revisions are overtaken.
    #[must_use]
    pub fn restarted(&self, cores: usize) -> Self {
        Self::on(self.backplane.clone(), cores, (*self.app.settings).clone())
    }

    pub fn request(&self, protocol: Protocol) -> OpenRequest {
        OpenRequest {
            app: self.app.clone(),
            protocol,
            handshake: Handshake::default(),
        }
    }

    /// A client on a WebSocket of core `core`, its handshake read.
    pub async fn dial(&self, core: usize) -> Client {
        let port = self.hubs[core]
            .open_websocket(self.request(Protocol::SocketIo))
            .unwrap();
        Client::open(port).await
    }

    /// The same, with the default namespace joined.
    pub async fn join(&self, core: usize) -> Client {
        let mut client = self.dial(core).await;
        client.connect("40").await;
        client
    }

    /// Comes back as `client`, whose connection is gone or not, on core `core`. What was missed is in `received`.
    pub async fn recover(&self, core: usize, client: &Client) -> Client {
        let mut next = self.dial(core).await;
        next.known_as(client);
        let claim = client.claim();
        next.connect(&claim).await;
        next
    }
}

/// Between nodes that do not reach each other.
struct NoRoad;

impl Wire for NoRoad {
    fn ask(&self, node: Arc<Node>, _question: Bytes) -> BoxFuture<'static, Result<Bytes, Unreachable>> {
        let node = node.name.clone();
        Box::pin(async move {
            Err(Unreachable {
                node,
                reason: "no road".into(),
            })
        })
    }
}
