use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use auth::KeyCache;
use backplane::Backplane;
use futures_util::future::join_all;
use platform::{AppDir, Catalogue, Platform};
use session::{Nodes, Shards};
use tokio::{
    runtime::Runtime,
    sync::{mpsc, oneshot},
};

use crate::{
    BuildError, Config, Handle, Stop,
    admin::{self, Admin},
    apps::{Tenant, Version},
    assets,
    book::{self, Began, Book},
    cluster::{self, Joined},
    code::{Alarm, CodeGrounds},
    core::Core,
    fetch::HttpFetch,
    follow,
    handle::Shared,
    leftovers,
    logs::LogBook,
    restore, rooms,
    secrets::Secrets,
    shelf::Shelf,
    tenants::{Grounds, Tenants},
    token::Token,
    traces,
    watched::{Subscriptions, Watched},
};

/// A node, built and bound, that does not serve yet.
pub struct Server {
    runtime: Runtime,
    cores: Vec<Core>,
    handle: Handle,
    listen: SocketAddr,
    admin: Option<(std::net::TcpListener, SocketAddr, Arc<Admin>)>,
    drain: Duration,
    began: Began,
    alarmed: mpsc::UnboundedReceiver<Alarm>,
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
        traces::trace_all(config.trace);
        let runtime = rooms::small_runtime()?;
        let transport = rooms::transport_config(config)?;
        let dirs = rooms::load_dirs(config)?;
        // Before the store: a port that is taken mostly means that the store is, too. Bound last, so that nobody waits
        // at a port where nothing is served yet.
        rooms::check_listen(config.listen)?;
        let (backplane, subscriptions, joined) = open(config, &runtime)?;
        let (tenants, began) = tenants(config, &runtime, &backplane)?;
        fix(&dirs, config, &runtime, &tenants)?;
        let (listeners, listen) = rooms::bind(config.listen, config.cores.get())?;
        let (nodes, mut peer_listeners) = meet(config, &runtime, joined.as_ref(), &tenants.fixed())?;
        let (shards, inboxes) = Shards::new(config.cores.get(), nodes);
        let (commands, receivers): (Vec<_>, Vec<_>) =
            (0..config.cores.get()).map(|_| mpsc::unbounded_channel()).unzip();
        let parts = listeners.into_iter().zip(inboxes).zip(receivers).enumerate();
        let key = rooms::secrets_key(config)?;
        let platform = Platform::new(Arc::clone(&backplane), config.ceilings.clone(), key);
        let secrets = Secrets::new(platform.clone(), tenants.catalogue.clone());
        let (alarms, alarmed) = mpsc::unbounded_channel();
        let grounds = CodeGrounds {
            shards: shards.clone(),
            shelf: Arc::clone(&tenants.shelf),
            instances_max: rooms::instances_per_core(config),
            lanes: runtime::Lanes::new(config.cores.get()),
            secrets: secrets.clone(),
            keys: Arc::new(KeyCache::new(Arc::new(HttpFetch::new()))),
            alarms,
        };
        let cores = parts.map(|(index, ((listener, inbox), commands))| Core {
            shard: u16::try_from(index).unwrap_or(u16::MAX),
            shards: shards.clone(),
            inbox,
            backplane: Arc::clone(&backplane),
            nats: cluster::for_its_only_core(config, joined.as_ref()),
            listener,
            peer_listener: peer_listeners.next(),
            peering: joined.as_ref().map(|joined| Arc::clone(&joined.peering)),
            transport: Arc::clone(&transport),
            tenants: Arc::clone(&tenants),
            grounds: grounds.clone(),
            commands,
        });
        let (cores, connections) = (cores.collect(), transport().connections);
        let handle = Handle(Arc::new(Shared {
            node: config.node.clone(),
            url: rooms::url(config, listen),
            backplane,
            subscriptions,
            shards,
            cores: commands,
            tenants,
            platform,
            secrets,
            taking_in: tokio::sync::Mutex::default(),
            gone: tokio::sync::Notify::new(),
            ready: AtomicBool::new(false),
            joined,
            connections_max: connections.available_permits(),
            connections,
        }));
        let admin = bind_admin(config, &handle)?;
        Ok(Self {
            runtime,
            cores,
            handle,
            listen,
            admin,
            drain: config.drain,
            began,
            alarmed,
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
            began,
            alarmed,
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
            work(&handle, began, alarmed).await;
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

/// What a node does beside serving, until its runtime ends. Answers when it may serve.
async fn work(handle: &Handle, began: Began, alarmed: mpsc::UnboundedReceiver<Alarm>) {
    assets::bring_all(handle).await;
    tokio::spawn(follow::follow(handle.clone()));
    tokio::spawn(follow::hear_alarms(handle.clone(), alarmed));
    tokio::spawn(restore::restore(handle.clone()));
    tokio::spawn(book::run(handle.clone(), began));
    if let Some(changes) = handle.nodes().changes() {
        let book = Arc::clone(&handle.tenants().book);
        tokio::spawn(async move { book.follow(changes).await });
    }
    tokio::spawn(sweep(handle.clone()));
    tokio::spawn(leftovers::tidy(handle.clone()));
}

/// Lets go of what nobody uses.
async fn sweep(handle: Handle) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        let now = ticks.tick().await.into_std();
        handle.shelf().sweep(now);
        handle.tenants().sweep(now);
    }
}

/// The apps of folders.
fn fix(dirs: &[AppDir], config: &Config, runtime: &Runtime, tenants: &Tenants) -> Result<(), BuildError> {
    for dir in dirs {
        let version = runtime.block_on(Version::load(dir, &tenants.shelf, config.cores.get()))?;
        tenants.fix(version);
    }
    Ok(())
}

/// The apps that are there, and their timers, whose tasks begin later.
fn tenants(
    config: &Config,
    runtime: &Runtime,
    backplane: &Arc<dyn Backplane>,
) -> Result<(Arc<Tenants>, Began), BuildError> {
    let failed = |error: backplane::Error| BuildError::Start(error.to_string());
    let engine = rooms::engine(config)?;
    let catalogue = runtime.block_on(Catalogue::open(Arc::clone(backplane)));
    let shelf = Shelf::new(engine, Arc::clone(backplane), config.code_bytes_max);
    let (book, began) = Book::new(Arc::clone(backplane));
    runtime.block_on(book.reload()).map_err(failed)?;
    let tenants = Tenants::new(Grounds {
        catalogue: catalogue.map_err(failed)?,
        shelf: Arc::new(shelf),
        book: Arc::new(book),
        backplane: Arc::clone(backplane),
        ceilings: config.ceilings.clone(),
        assets: rooms::assets_dir(config),
        cores: config.cores.get(),
        logs: Arc::new(LogBook::new(&config.node, config.on_log.clone())),
    });
    Ok((Arc::new(tenants), began))
}

/// How often what nobody uses is looked for.
const SWEEP: Duration = Duration::from_secs(1);

type Opened = (Arc<dyn Backplane>, Subscriptions, Option<Joined>);

/// The backplane: NATS, or this node's own.
fn open(config: &Config, runtime: &Runtime) -> Result<Opened, BuildError> {
    let (backplane, joined): (Arc<dyn Backplane>, _) = if let Some(cluster) = &config.cluster {
        rooms::check_listen(cluster.listen)?;
        let joined = runtime.block_on(cluster::join(cluster))?;
        (Arc::new(joined.nats.clone()), Some(joined))
    } else {
        (rooms::open_backplane(config.data.as_deref())?, None)
    };
    let watched = Watched::new(backplane);
    let subscriptions = watched.subscriptions();
    Ok((Arc::new(watched), subscriptions, joined))
}

/// The other nodes, if there are any, and what listens for them.
fn meet(
    config: &Config,
    runtime: &Runtime,
    joined: Option<&Joined>,
    fixed: &[Arc<Tenant>],
) -> Result<(Nodes, std::vec::IntoIter<std::net::TcpListener>), BuildError> {
    let (Some(cluster), Some(joined)) = (&config.cluster, joined) else {
        return Ok((Nodes::alone(), Vec::new().into_iter()));
    };
    let (listeners, listen) = rooms::bind(cluster.listen, config.cores.get())?;
    let apps = fixed
        .iter()
        .map(|tenant| (tenant.name.to_string(), tenant.digest()));
    let lease = cluster::take_lease(config, cluster, joined, listen, apps.collect());
    Ok((runtime.block_on(lease)?, listeners.into_iter()))
}

type BoundAdmin = (std::net::TcpListener, SocketAddr, Arc<Admin>);

fn bind_admin(config: &Config, handle: &Handle) -> Result<Option<BoundAdmin>, BuildError> {
    let Some(admin) = &config.admin else {
        return Ok(None);
    };
    let token = Token::load(admin.token_file.as_deref(), config.data.as_deref())?;
    let (listeners, addr) = rooms::bind(admin.listen, 1)?;
    let admin = Arc::new(Admin::new(handle.clone(), token, config.node.clone()));
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
