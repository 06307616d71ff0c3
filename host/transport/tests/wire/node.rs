//! A node of one core on a port of its own.
use std::{net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use backplane::{Backplane, Embedded};
use futures_util::future::LocalBoxFuture;
use router::{Call, CallKind, Effect, Failure, Target};
use session::{App, AppEntry, AppSettings, Apps, Hub, Nodes, Shards};
use socketio::EventData;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, oneshot},
    task::{JoinHandle, LocalSet, spawn_local},
};
use transport::{Site, TransportConfig, TrustedProxies, Web, WebSettings, serve, serve_cluster};

pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) hub: Hub,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

/// What a test changes of a node before it starts.
pub(crate) struct Setup {
    pub(crate) web: WebSettings,
    pub(crate) engine: engineio::Settings,
    pub(crate) config: TransportConfig,
    pub(crate) sessions_max: usize,
    pub(crate) rates: session::Rates,
    /// Where other nodes are told that this one listens for them, if not where it does.
    pub(crate) advertise: Option<String>,
}

impl Node {
    pub(crate) async fn start(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup::new();
        change(&mut setup);
        Self::assemble(setup, Nodes::alone(), Arc::new(Embedded::in_memory()), None).await
    }

    /// `inward`: the listener for other nodes.
    pub(crate) async fn assemble(
        setup: Setup,
        nodes: Nodes,
        backplane: Arc<dyn Backplane>,
        inward: Option<TcpListener>,
    ) -> Self {
        let (shards, mut inboxes) = Shards::new(1, nodes);
        let hub = Hub::start(0, shards, inboxes.remove(0), backplane);
        let directory = Rc::new(Directory {
            entry: Rc::new(entry(&setup)),
            web: Rc::new(setup.web),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::clone(&setup.config.connections);
        let config = Rc::new(setup.config);
        let site = || Site {
            hub: hub.clone(),
            apps: directory.clone(),
            web: directory.clone(),
            config: config.clone(),
        };
        if let Some(inward) = inward {
            spawn_local(serve_cluster(inward, site(), std::future::pending()));
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = spawn_local(serve(listener, site(), async {
            stopped.await.ok();
        }));
        Self {
            address,
            connections,
            hub,
            stop: Some(stop),
            serving,
        }
    }

    /// Stops accepting and waits until every connection has ended.
    pub(crate) async fn stop(mut self) {
        self.stop.take();
        (&mut self.serving).await.unwrap();
    }

    /// Stops accepting.
    pub(crate) fn begin_stop(&mut self) {
        self.stop.take();
    }
}

/// Runs a test on a core's runtime; fails rather than hangs.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let limited = async {
        tokio::time::timeout(Duration::from_mins(2), test)
            .await
            .expect("the test hangs");
    };
    LocalSet::new().block_on(&runtime, limited);
}

impl Setup {
    pub(crate) fn new() -> Self {
        let engine = engineio::Settings {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_payload_bytes: 1000,
            polling: true,
            websocket: true,
            queue_bytes_max: 1 << 20,
        };
        let config = TransportConfig {
            default_app: Some("chat".to_owned()),
            trusted_proxies: TrustedProxies::default(),
            tls: None,
            connections: Arc::new(Semaphore::new(1000)),
            cluster: None,
            cluster_connections: Arc::new(Semaphore::new(1000)),
            header_read_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(10),
            body_read_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            headers_max: 100,
            head_bytes_max: 16 * 1024,
        };
        let web = WebSettings {
            raw_websocket: Some("/ws".to_owned()),
            raw_engineio: Some("/engine.io/".to_owned()),
            compression: true,
            credentials: true,
            ..WebSettings::default()
        };
        Self {
            web,
            engine,
            config,
            sessions_max: 1000,
            rates: session::Rates::default(),
            advertise: None,
        }
    }
}

fn entry(setup: &Setup) -> AppEntry {
    AppEntry {
        name: "chat".into(),
        settings: Arc::new(AppSettings {
            engine: Arc::new(setup.engine.clone()),
            namespaces: vec!["/".into()],
            connect_timeout: Duration::from_secs(45),
            recovery: None,
            token: None,
            auth: None,
            queue_bytes_max: 1 << 20,
            rooms_per_socket_max: 100,
            events_queued_max: 100,
            sessions_max: setup.sessions_max,
            rates: setup.rates,
        }),
        code: Rc::new(Chat),
        quota: Arc::default(),
    }
}

struct Directory {
    entry: Rc<AppEntry>,
    web: Rc<WebSettings>,
}

impl Apps for Directory {
    fn find(&self, name: &str) -> Option<Rc<AppEntry>> {
        (name == "chat").then(|| self.entry.clone())
    }
}

impl Web for Directory {
    fn web(&self, name: &str) -> Option<Rc<WebSettings>> {
        (name == "chat").then(|| self.web.clone())
    }
}

/// `echo` comes back as `echo-back`, plain messages as they came; `drop` ends the connection; `flood(n)` sends n
/// events of 500 bytes. Who connects with `whoami` in the query is told address and headers.
struct Chat;

impl App for Chat {
    fn call(&self, call: Call) -> LocalBoxFuture<'static, Result<Vec<Effect>, Failure>> {
        Box::pin(async move { Ok(effects(call)) })
    }
}

fn effects(call: Call) -> Vec<Effect> {
    let Some(socket) = call.socket else {
        return Vec::new();
    };
    let target = Target {
        namespace: socket.namespace.clone(),
        rooms: vec![socket.id.clone()],
        except: Vec::new(),
    };
    let emit = |data| Effect::Emit {
        target: target.clone(),
        data,
        volatile: false,
    };
    let data = match call.kind {
        CallKind::Event { data, .. } => data,
        CallKind::Connect(handshake) if handshake.query.iter().any(|(name, _)| name == "whoami") => {
            let lines = handshake
                .headers
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            let lines: Vec<_> = std::iter::once(handshake.remote_address.clone())
                .chain(lines)
                .collect();
            let args = format!("[\"{}\"]", lines.join("\",\"").replace('\\', "/"));
            return vec![emit(EventData::event("whoami", &args, Vec::new()).unwrap())];
        }
        _ => return Vec::new(),
    };
    let (name, args) = data.split();
    let attachments = data.attachments().to_vec();
    match name.as_str() {
        "drop" => vec![Effect::Disconnect { target, close: true }],
        "flood" => {
            let count: usize = args.trim_matches(['[', ']']).parse().unwrap();
            let filler = format!("[\"{}\"]", "x".repeat(500));
            (0..count)
                .map(|_| emit(EventData::event("flood", &filler, Vec::new()).unwrap()))
                .collect()
        }
        "message" => vec![emit(EventData::event("message", &args, attachments).unwrap())],
        _ => vec![emit(
            EventData::event(&format!("{name}-back"), &args, attachments).unwrap(),
        )],
    }
}
