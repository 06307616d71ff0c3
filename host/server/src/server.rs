use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use backplane::Backplane;
use futures_util::future::join_all;
use parking_lot::RwLock;
use session::{Nodes, Shards};
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot},
};

use crate::{
    BuildError, Config, Handle, Stop,
    admin::{self, Admin},
    apps::{Tenant, Version},
    cluster::{self, Joined},
    core::Core,
    handle::Shared,
    logs::Logs,
    rooms,
    token::Token,
};

/// A node, built and bound, that does not serve yet.
pub struct Server {
    runtime: Runtime,
    cores: Vec<Core>,
    handle: Handle,
    listen: SocketAddr,
    admin: Option<(std::net::TcpListener, SocketAddr, Arc<Admin>)>,
    drain: Duration,
}

/// Where a node listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    pub listen: SocketAddr,
    pub admin: Option<SocketAddr>,
}
/// Why a node ended other than by being told to. Our own fault.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("a thread that serves ended: {0}")]
    Core(String),
    #[error("signals cannot be listened for: {0}")]
    Signals(io::Error),
}

impl Server {
    /// Opens the store, compiles the apps and binds the listeners: what can be wrong with a configuration is found here.
    pub fn build(config: &Config) -> Result<Self, BuildError> {
        let runtime = rooms::small_runtime()?;
        let transport = rooms::transport_config(config)?;
        let dirs = rooms::load_dirs(config)?;
        // Before the store: a port that is taken mostly means that the store is, too. Bound last, so that nobody waits
        // at a port where nothing is served yet.
        rooms::check_listen(config.listen)?;
        let (backplane, joined) = open(config, &runtime)?;
        let engine = rooms::engine(config)?;
        let mut tenants = BTreeMap::new();
        for dir in &dirs {
            let version = runtime.block_on(Version::load(dir, &engine, config.cores.get()))?;
            let logs = Arc::new(Logs::new(
                dir.manifest.name.as_str().into(),
                config.on_log.clone(),
            ));
            let tenant = runtime.block_on(Tenant::new(version, Arc::clone(&backplane), logs));
            let tenant = Arc::new(tenant.map_err(|error| BuildError::Start(error.to_string()))?);
            tenants.insert(Arc::clone(&tenant.name), tenant);
        }
        let (listeners, listen) = rooms::bind(config.listen, config.cores.get())?;
        let (nodes, peer_listeners) = meet(config, &runtime, joined.as_ref(), &tenants)?;
        let (shards, inboxes) = Shards::new(config.cores.get(), nodes);
        let (commands, receivers): (Vec<_>, Vec<_>) =
            (0..config.cores.get()).map(|_| mpsc::unbounded_channel()).unzip();
        let parts = listeners.into_iter().zip(inboxes).zip(receivers).enumerate();
        let restores = config.data.is_some() || joined.is_some();
        let peering = joined.as_ref().map(|joined| Arc::clone(&joined.peering));
        let mut peer_listeners = peer_listeners.into_iter();
        let cores = parts.map(|(index, ((listener, inbox), commands))| Core {
            shard: u16::try_from(index).unwrap_or(u16::MAX),
            restores,
            shards: shards.clone(),
            inbox,
            backplane: Arc::clone(&backplane),
            listener,
            peer_listener: peer_listeners.next(),
            peering: peering.clone(),
            transport: Arc::clone(&transport),
            tenants: tenants.values().cloned().collect(),
            commands,
        });
        let cores = cores.collect();
        let (tenants, ready) = (RwLock::new(tenants), AtomicBool::new(false));
        let handle = Handle(Arc::new(Shared {
            engine,
            backplane,
            shards,
            cores: commands,
            tenants,
            ready,
            joined,
        }));
        let admin = bind_admin(config, &handle)?;
        Ok(Self {
            runtime,
            cores,
            handle,
            listen,
            admin,
            drain: config.drain,
        })
    }

    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until told to stop: the first word drains, the second ends at once. `on_ready` is called when
    /// connections are accepted.
    pub fn run(self, on_ready: impl FnOnce(&Ready), stop: Stop) -> Result<(), RunError> {
        let Self {
            runtime,
            cores,
            handle,
            listen,
            admin,
            drain,
        } = self;
        let ready = Ready {
            listen,
            admin: admin.as_ref().map(|(_, addr, _)| *addr),
        };
        runtime.block_on(async move {
            let mut stop = stop.listen().map_err(RunError::Signals)?;
            let mut ended = start(cores).await?;
            let admin = admin.map(|(listener, _, admin)| tokio::spawn(admin::serve(listener, admin)));
            cluster::spawn(&handle);
            handle.0.ready.store(true, Ordering::Release);
            on_ready(&ready);
            tokio::select! {
                () = told(&mut stop) => {}
                failed = ended.recv() => return Err(RunError::Core(failed.unwrap_or_default())),
            }
            handle.0.ready.store(false, Ordering::Release);
            tokio::select! {
                () = handle.drain(drain) => tracing::info!("drained"),
                () = told(&mut stop) => tracing::warn!("told twice: ending at once"),
            }
            if let Some(admin) = admin {
                admin.abort();
            }
            // What still runs on the cores is cut off with the process: it has had its time.
            Ok(())
        })
    }
}

type Opened = (Arc<dyn Backplane>, Option<Joined>);

/// The backplane: NATS, or this node's own.
fn open(config: &Config, runtime: &Runtime) -> Result<Opened, BuildError> {
    let Some(cluster) = &config.cluster else {
        return Ok((rooms::open_backplane(config.data.as_deref())?, None));
    };
    rooms::check_listen(cluster.listen)?;
    let joined = runtime.block_on(cluster::join(cluster))?;
    Ok((Arc::new(joined.nats.clone()), Some(joined)))
}

/// The other nodes, if there are any, and what listens for them.
fn meet(
    config: &Config,
    runtime: &Runtime,
    joined: Option<&Joined>,
    tenants: &BTreeMap<Arc<str>, Arc<Tenant>>,
) -> Result<(Nodes, Vec<std::net::TcpListener>), BuildError> {
    let (Some(cluster), Some(joined)) = (&config.cluster, joined) else {
        return Ok((Nodes::alone(), Vec::new()));
    };
    let (listeners, listen) = rooms::bind(cluster.listen, config.cores.get())?;
    let apps = tenants
        .iter()
        .map(|(name, tenant)| (name.to_string(), tenant.digest()));
    let lease = cluster::take_lease(config, cluster, joined, listen, apps.collect());
    Ok((runtime.block_on(lease)?, listeners))
}

type BoundAdmin = (std::net::TcpListener, SocketAddr, Arc<Admin>);

fn bind_admin(config: &Config, handle: &Handle) -> Result<Option<BoundAdmin>, BuildError> {
    let Some(admin) = &config.admin else {
        return Ok(None);
    };
    let token = Token::load(admin.token_file.as_deref(), config.data.as_deref())?;
    let (listeners, addr) = rooms::bind(admin.listen, 1)?;
    let admin = Arc::new(Admin {
        handle: handle.clone(),
        token,
        node: config.node.clone(),
    });
    Ok(listeners
        .into_iter()
        .next()
        .map(|listener| (listener, addr, admin)))
}

/// Starts the cores' threads and waits until all of them accept. The receiver hears of one that ends by mistake.
async fn start(cores: Vec<Core>) -> Result<mpsc::UnboundedReceiver<String>, RunError> {
    let (ended, has_ended) = mpsc::unbounded_channel();
    let mut waits = Vec::new();
    for core in cores {
        let (ready, wait) = oneshot::channel();
        let ended = ended.clone();
        let name = format!("core-{}", core.shard);
        let thread = thread::Builder::new().name(name).spawn(move || {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| core.run(ready)));
            let reason = match outcome {
                // Nobody commands it any more: the node is ending.
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it panicked; the lines above say where".to_owned(),
            };
            // Nobody listens once the node is ending.
            _ = ended.send(reason);
        });
        thread.map_err(|error| RunError::Core(error.to_string()))?;
        waits.push(wait);
    }
    let mut has_ended = has_ended;
    if join_all(waits).await.iter().any(Result::is_err) {
        return Err(RunError::Core(has_ended.recv().await.unwrap_or_default()));
    }
    Ok(has_ended)
}

/// Pending for ever where nobody can tell any more.
async fn told(stop: &mut mpsc::UnboundedReceiver<()>) {
    if stop.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}
