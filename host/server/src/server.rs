use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use backplane::{Backplane, Embedded};
use futures_util::future::join_all;
use parking_lot::RwLock;
use platform::AppDir;
use runtime::{Engine, EngineConfig};
use session::{AppStats, Hub, Shards};
use tokio::sync::{Semaphore, mpsc, oneshot};
use transport::{ClientBundle, TransportConfig, TrustedProxies};

use crate::{
    BuildError, Config, ConfigError, Stop,
    admin::{self, Admin},
    apps::{Tenant, Version},
    core::{Command, Core, CoreStats},
    listen,
    logs::Logs,
    metrics::AppNumbers,
    token::Token,
};

/// A node, built and bound, that does not serve yet.
pub struct Server {
    runtime: tokio::runtime::Runtime,
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

/// A hold on a running node, from any thread.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

struct Shared {
    engine: Engine,
    backplane: Arc<dyn Backplane>,
    shards: Shards,
    cores: Vec<mpsc::UnboundedSender<Command>>,
    tenants: RwLock<BTreeMap<Arc<str>, Arc<Tenant>>>,
    ready: AtomicBool,
}

/// Why a node ended other than by being told to. Our own fault.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("a thread that serves ended: {0}")]
    Core(String),
    #[error("signals cannot be listened for: {0}")]
    Signals(io::Error),
}

/// Why an app still runs what it ran before.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The app was renamed, which is another app: start again.
    #[error("there is no app {0:?} here; an app that was renamed needs a new start")]
    Unknown(String),
    #[error("the node is ending")]
    Stopped,
}

impl Server {
    /// Opens the store, compiles the apps and binds the listeners: what can be wrong with a configuration is found here.
    pub fn build(config: Config) -> Result<Self, BuildError> {
        let runtime = small_runtime()?;
        let transport = transport_config(&config)?;
        let dirs = load_dirs(&config)?;
        // Before the store: a port that is taken mostly means that the store is, too.
        let (listeners, listen) = bind(config.listen, config.cores.get())?;
        let backplane = open_backplane(config.data.as_deref())?;
        let engine = engine(&config)?;
        let (shards, inboxes) = Shards::new(config.cores.get());
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
        let (commands, receivers): (Vec<_>, Vec<_>) =
            (0..config.cores.get()).map(|_| mpsc::unbounded_channel()).unzip();
        let parts = listeners.into_iter().zip(inboxes).zip(receivers).enumerate();
        let incarnation = Hub::incarnation();
        let restores = config.data.is_some();
        let cores = parts.map(|(index, ((listener, inbox), commands))| Core {
            shard: u16::try_from(index).unwrap_or(u16::MAX),
            incarnation,
            restores,
            shards: shards.clone(),
            inbox,
            backplane: Arc::clone(&backplane),
            listener,
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
        }));
        let admin = bind_admin(&config, &handle)?;
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

impl Handle {
    /// Compiles what an app's folder has now and runs it from the next event on. No socket is closed. Blocking.
    pub fn reload(&self, app: &AppDir) -> Result<(), ReloadError> {
        let name = &app.manifest.name;
        let tenant = self
            .tenant(name)
            .ok_or_else(|| ReloadError::Unknown(name.clone()))?;
        let runtime = small_runtime()?;
        let version = runtime.block_on(Version::load(app, &self.0.engine, self.0.cores.len()))?;
        tenant.replace(Arc::new(version));
        let mut waits = Vec::new();
        for core in &self.0.cores {
            let (done, wait) = oneshot::channel();
            core.send(Command::Apply(Arc::clone(&tenant), done))
                .map_err(|_| ReloadError::Stopped)?;
            waits.push(wait);
        }
        waits
            .into_iter()
            .try_for_each(|wait| wait.blocking_recv().map_err(|_| ReloadError::Stopped))
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.0.ready.load(Ordering::Acquire)
    }

    pub(crate) fn backplane(&self) -> &dyn Backplane {
        &*self.0.backplane
    }

    pub(crate) fn tenant(&self, name: &str) -> Option<Arc<Tenant>> {
        self.0.tenants.read().get(name).cloned()
    }

    pub(crate) fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.0.tenants.read().values().cloned().collect()
    }

    pub(crate) async fn sessions(&self, app: &Arc<str>) -> AppStats {
        self.0.shards.stats(Arc::clone(app)).await
    }

    /// What is countable, by app, over all cores.
    pub(crate) async fn numbers(&self) -> Vec<(String, AppNumbers)> {
        let asked = self.0.cores.iter().map(|core| {
            let (answer, wait) = oneshot::channel();
            // A core that has ended has nothing to count.
            _ = core.send(Command::Stats(answer));
            wait
        });
        let answers: Vec<CoreStats> = join_all(asked).await.into_iter().flatten().flatten().collect();
        let mut all = Vec::new();
        for tenant in self.tenants() {
            let sessions = self.sessions(&tenant.name).await;
            let of_app = answers.iter().filter(|stats| stats.app == tenant.name);
            all.push((
                tenant.name.to_string(),
                AppNumbers::sum(&sessions, of_app, tenant.timers.len()),
            ));
        }
        all
    }

    /// Closes all connections, over four fifths of the time, so that their clients do not come to the other nodes at
    /// once; the rest is for the last ones to leave. No time at all: they see the process end.
    async fn drain(&self, within: Duration) {
        if within.is_zero() {
            return;
        }
        let mut sessions = 0;
        for tenant in self.tenants() {
            sessions += self.sessions(&tenant.name).await.sessions;
        }
        let cores = self.0.cores.len() as u64;
        let pace = sessions * 1_250 / u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1) / cores;
        let pace = u32::try_from(pace).unwrap_or(u32::MAX).max(DRAIN_PER_SECOND_MIN);
        let asked = self.0.cores.iter().map(|core| {
            let (done, wait) = oneshot::channel();
            _ = core.send(Command::Drain {
                sessions_per_second: pace,
                within,
                done,
            });
            wait
        });
        // The hub keeps to the time itself; this is for a core that does not answer at all.
        let grace = Duration::from_secs(1);
        if tokio::time::timeout(within + grace, join_all(asked))
            .await
            .is_err()
        {
            tracing::warn!("not all connections ended in time");
        }
    }
}

/// Sessions that a draining core closes in a second, at least.
const DRAIN_PER_SECOND_MIN: u32 = 100;
/// Instances alive at once, of all apps: near what a Linux process can map.
const INSTANCES_MAX: u32 = 10_000;
/// The same where an author works, whose machine may allow less address space.
const INSTANCES_MAX_DEV: u32 = 1_000;
const COMPILE_QUEUE_MAX: usize = 1_024;
/// A slow peer may take this long over a request's head, its body, or a frame.
const SLOW_PEER: Duration = Duration::from_secs(30);

/// The engine, with its cache of compiled code in the data folder.
pub(crate) fn engine(config: &Config) -> Result<Engine, BuildError> {
    let instances = if config.app_at_root {
        INSTANCES_MAX_DEV
    } else {
        INSTANCES_MAX
    };
    start_engine(instances, config.data.as_deref(), config.cores.get())
}

/// An engine that compiles and checks, and runs nothing.
pub(crate) fn checking_engine() -> Result<Engine, BuildError> {
    start_engine(1, None, 1)
}

fn start_engine(instances_max: u32, data: Option<&Path>, threads: usize) -> Result<Engine, BuildError> {
    let config = EngineConfig {
        instances_max,
        calls_max: instances_max,
        // What wasm32 can address: how much an app may have is its limit's to say.
        memory_bytes_max: 4 << 30,
        cache_dir: data.map(|data| data.join("compiled")),
        compile_threads: threads,
        compile_queue_max: COMPILE_QUEUE_MAX,
    };
    Engine::new(config).map_err(|error| BuildError::Start(error.to_string()))
}

pub(crate) fn small_runtime() -> Result<tokio::runtime::Runtime, BuildError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| BuildError::Start(error.to_string()))
}

fn load_dirs(config: &Config) -> Result<Vec<AppDir>, BuildError> {
    let mut dirs: Vec<AppDir> = Vec::new();
    for path in &config.apps {
        let dir = AppDir::load(path, &config.ceilings)?;
        if let Some(first) = dirs.iter().find(|first| first.manifest.name == dir.manifest.name) {
            return Err(BuildError::TwoApps {
                name: dir.manifest.name,
                first: first.dir.clone(),
                second: dir.dir,
            });
        }
        dirs.push(dir);
    }
    Ok(dirs)
}

fn transport_config(config: &Config) -> Result<Arc<dyn Fn() -> TransportConfig + Send + Sync>, BuildError> {
    let trusted_proxies = TrustedProxies::parse(&config.trusted_proxies).map_err(|error| ConfigError {
        place: "trusted_proxy".to_owned(),
        problem: error.to_string(),
    })?;
    let tls = config
        .tls
        .as_ref()
        .map(|files| transport::tls_config(&files.cert, &files.key))
        .transpose()?;
    let client = config.client_dir.as_deref().map(ClientBundle::load).transpose();
    let client = client.map_err(|error| ConfigError {
        place: "client".to_owned(),
        problem: error.to_string(),
    })?;
    let client = client.map(Arc::new);
    let connections = Arc::new(Semaphore::new(config.connections_max));
    let default_app = config.app_at_root.then(|| config.apps.first().cloned()).flatten();
    let default_app = default_app
        .map(|dir| AppDir::load(&dir, &config.ceilings))
        .transpose()?;
    let default_app = default_app.map(|app| app.manifest.name);
    Ok(Arc::new(move || TransportConfig {
        default_app: default_app.clone(),
        trusted_proxies: trusted_proxies.clone(),
        client: client.clone(),
        tls: tls.clone(),
        connections: Arc::clone(&connections),
        header_read_timeout: SLOW_PEER,
        keep_alive_timeout: Duration::from_secs(75),
        body_read_timeout: SLOW_PEER,
        write_timeout: SLOW_PEER,
        close_timeout: Duration::from_secs(5),
        headers_max: 100,
        head_bytes_max: 16 * 1024,
    }))
}

/// Finds out whether a node could listen there, so that nobody waits for a build first. Another program may take the
/// port until it does.
pub fn check_listen(addr: SocketAddr) -> Result<(), BuildError> {
    bind(addr, 1).map(|_| ())
}

fn bind(addr: SocketAddr, listeners: usize) -> Result<(Vec<std::net::TcpListener>, SocketAddr), BuildError> {
    let wrong = |source| BuildError::Listen { addr, source };
    let listeners = listen::bind(addr, listeners).map_err(wrong)?;
    let bound = listeners
        .first()
        .map(std::net::TcpListener::local_addr)
        .transpose()
        .map_err(wrong)?;
    Ok((listeners, bound.unwrap_or(addr)))
}

type BoundAdmin = (std::net::TcpListener, SocketAddr, Arc<Admin>);

fn bind_admin(config: &Config, handle: &Handle) -> Result<Option<BoundAdmin>, BuildError> {
    let Some(admin) = &config.admin else {
        return Ok(None);
    };
    let token = Token::load(admin.token_file.as_deref(), config.data.as_deref())?;
    let (listeners, addr) = bind(admin.listen, 1)?;
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

fn open_backplane(data: Option<&Path>) -> Result<Arc<dyn Backplane>, BuildError> {
    let Some(data) = data else {
        return Ok(Arc::new(Embedded::in_memory()));
    };
    let opened = Embedded::open(data.join("store"));
    let opened = opened.map_err(|error| BuildError::Data {
        path: data.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(Arc::new(opened))
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
