//! One core of the node: a thread with its own runtime, listener, hub and workers. What is on it stays on it.
use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc, time::Duration};

use backplane::Backplane;
use backplane_nats::Nats;
use router::{Call, CallKind, Failure};
use session::{AppEntry, Apps, Hub, Shards, Work, spawn_local};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinHandle, LocalSet},
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};
use transport::{Peering, Site, TransportConfig, Web, WebSettings};

use crate::{
    apps::Version,
    code::{Code, CodeGrounds},
    metrics::Calls,
    push::Push,
    quota,
    tenants::Tenants,
    timers::Due,
};

/// What a core is made of; sent to its thread.
pub(crate) struct Core {
    pub(crate) shard: u16,
    pub(crate) shards: Shards,
    pub(crate) inbox: mpsc::UnboundedReceiver<Work>,
    pub(crate) backplane: Arc<dyn Backplane>,
    /// Whose logs this core reads itself.
    pub(crate) nats: Option<Nats>,
    pub(crate) listener: std::net::TcpListener,
    /// For other nodes; with `peering`.
    pub(crate) peer_listener: Option<std::net::TcpListener>,
    pub(crate) peering: Option<Arc<Peering>>,
    pub(crate) transport: Arc<dyn Fn() -> TransportConfig + Send + Sync>,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) grounds: CodeGrounds,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
}

/// What a core is told from other threads. Dropping the sender ends the core.
pub(crate) enum Command {
    /// An app has other versions now, or is gone. Answers when calls that begin run what it has.
    Apply(Arc<str>, oneshot::Sender<()>),
    /// Reads an app's log, so that sockets which lost their home are taken in. Answers whether it does.
    Open(Arc<str>, oneshot::Sender<bool>),
    /// Runs the handler of an app's timer.
    Fire(Arc<str>, Due, oneshot::Sender<Result<(), Failure>>),
    /// Runs the handler of a backend's push.
    Push(Push),
    Stats(oneshot::Sender<Vec<CoreStats>>),
    /// No new connections; lets go of those there are, at a pace, by then. Answers when none is left.
    Drain {
        sessions_per_second: u32,
        within: Duration,
        done: oneshot::Sender<()>,
    },
}

/// One app's numbers on one core.
pub(crate) struct CoreStats {
    pub(crate) app: Arc<str>,
    pub(crate) calls: Calls,
    pub(crate) worker: runtime::Stats,
}

/// Between two looks for instances that nobody calls any more.
const REAP_INTERVAL: Duration = Duration::from_millis(250);
/// Between two looks for apps that nobody uses any more.
const UNLOAD_INTERVAL: Duration = Duration::from_secs(5);
/// An app that nobody has called for this long, and that has no session here, leaves the core.
const UNLOAD: Duration = Duration::from_secs(60);

impl Core {
    /// Runs on the current thread until the commands' sender is gone. `ready` is told when connections are accepted.
    pub(crate) fn run(self, ready: oneshot::Sender<()>) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let tasks = LocalSet::new();
        tasks.block_on(&runtime, self.serve(ready))
    }

    async fn serve(mut self, ready: oneshot::Sender<()>) -> std::io::Result<()> {
        let (instances_max, lanes) = (self.grounds.instances_max, self.grounds.lanes.clone());
        let registry = Rc::new(Registry {
            tenants: self.tenants,
            grounds: self.grounds,
            locals: RefCell::default(),
        });
        if let Some(nats) = self.nats.take()
            && let Err(error) = nats.take_logs().await
        {
            tracing::warn!(%error, "logs are read by the thread that speaks with NATS, which takes longer");
        }
        let hub = Hub::start(self.shard, self.shards, self.inbox, self.backplane);
        let _core = quota::begin_core(hub.clone(), instances_max, &lanes);
        let peering = self.peering;
        let site = || Site {
            hub: hub.clone(),
            apps: Rc::clone(&registry) as Rc<dyn Apps>,
            web: Rc::clone(&registry) as Rc<dyn Web>,
            config: Rc::new(TransportConfig {
                cluster: peering.clone(),
                ..(self.transport)()
            }),
        };
        let (accepting, closing) = watch::channel(true);
        let closed = || {
            let mut closing = closing.clone();
            async move { _ = closing.wait_for(|accepting| !accepting).await }
        };
        let serving = transport::serve(
            tokio::net::TcpListener::from_std(self.listener)?,
            site(),
            closed(),
        );
        let peers = self
            .peer_listener
            .map(tokio::net::TcpListener::from_std)
            .transpose()?;
        let peers = peers.map(|listener| transport::serve_cluster(listener, site(), closed()));
        let running = Running {
            registry,
            hub,
            accepting,
            connections: RefCell::default(),
        };
        running.connections.replace(Some(spawn_local(serving)));
        // Closes with this core's drain, which until then still answers for its sessions. Not waited for: most
        // connections there are idle ones that another node keeps.
        peers.map(spawn_local);
        let mut reaping = interval(REAP_INTERVAL);
        reaping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unloading = interval(UNLOAD_INTERVAL);
        unloading.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Nobody waits for it if the start was given up: the commands end then, too.
        _ = ready.send(());
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    None => return Ok(()),
                    Some(command) => running.obey(command),
                },
                now = reaping.tick() => running.registry.reap(now.into_std()),
                now = unloading.tick() => running.registry.unload(&running.hub, now.into_std()),
            }
        }
    }
}

/// A core at work.
struct Running {
    registry: Rc<Registry>,
    hub: Hub,
    /// Turns false once, when the core has drained.
    accepting: watch::Sender<bool>,
    /// Accepts and serves; ends with the last connection. Taken by the drain.
    connections: RefCell<Option<JoinHandle<()>>>,
}

impl Running {
    fn obey(&self, command: Command) {
        // Whoever asked may have given up waiting: nothing is lost with the answer.
        match command {
            Command::Apply(app, done) => {
                if !self.registry.apply(&app) {
                    self.hub.close_app(&app);
                }
                _ = done.send(());
            }
            Command::Open(app, done) => {
                let (entry, hub) = (self.registry.find(&app), self.hub.clone());
                spawn_local(async move {
                    let opened = match entry {
                        // It was deleted: its sockets are nobody's.
                        None => true,
                        Some(entry) => hub
                            .open_line(&entry)
                            .await
                            .inspect_err(|error| tracing::error!(%app, %error, "sockets of the last run cannot be restored yet"))
                            .is_ok(),
                    };
                    _ = done.send(opened);
                });
            }
            Command::Fire(app, due, done) => {
                let (entry, hub) = (self.registry.find(&app), self.hub.clone());
                spawn_local(async move {
                    let fired = match entry {
                        // It cannot run here now, or its folder was not given this time: its timers wait for it.
                        None => Err(Failure::Unavailable("the app is not here".to_owned())),
                        Some(entry) => fire(&hub, &entry, &due).await,
                    };
                    _ = done.send(fired);
                });
            }
            Command::Push(push) => push.start(&*self.registry, &self.hub),
            Command::Stats(answer) => _ = answer.send(self.registry.stats()),
            Command::Drain {
                sessions_per_second,
                within,
                done,
            } => {
                let (hub, accepting) = (self.hub.clone(), self.accepting.clone());
                let connections = self.connections.take();
                spawn_local(async move {
                    let deadline = Instant::now() + within;
                    // Still accepting: clients that poll come for their close by a new connection. The hub admits
                    // no new session, and its refusal sends clients elsewhere.
                    if timeout_at(deadline, hub.drain(sessions_per_second))
                        .await
                        .is_err()
                    {
                        tracing::warn!("not all sessions ended in time");
                    }
                    accepting.send_replace(false);
                    if let Some(connections) = connections {
                        _ = timeout_at(deadline, connections).await;
                    }
                    _ = done.send(());
                });
            }
        }
    }
}

/// The apps of one core: those that somebody has spoken to. Borrowed only within calls that do not await.
struct Registry {
    tenants: Arc<Tenants>,
    grounds: CodeGrounds,
    locals: RefCell<HashMap<Arc<str>, Local>>,
}

struct Local {
    entry: Rc<AppEntry>,
    web: Rc<WebSettings>,
    code: Rc<Code>,
    is_fixed: bool,
}

impl Apps for Registry {
    fn find(&self, name: &str) -> Option<Rc<AppEntry>> {
        self.with(name, |local| Rc::clone(&local.entry))
    }
}

impl Web for Registry {
    fn web(&self, app: &str) -> Option<Rc<WebSettings>> {
        self.with(app, |local| Rc::clone(&local.web))
    }
}

impl Registry {
    /// Looks at an app, which is made first if nobody has spoken to it here.
    fn with<R>(&self, name: &str, look: impl Fn(&Local) -> R) -> Option<R> {
        if let Some(local) = self.locals.borrow().get(name) {
            return Some(look(local));
        }
        let tenant = self.tenants.find(name)?;
        let local = Local::new(
            Rc::new(Code::new(Arc::clone(&tenant), self.grounds.clone())),
            &tenant.version(),
            self.tenants.is_fixed(name),
        );
        let found = look(&local);
        self.locals.borrow_mut().insert(Arc::clone(&tenant.name), local);
        Some(found)
    }

    /// Takes over what an app runs now. False: it is gone.
    fn apply(&self, name: &str) -> bool {
        let mut locals = self.locals.borrow_mut();
        match (locals.get_mut(name), self.tenants.awake(name)) {
            (None, _) => true,
            (Some(local), Some(tenant)) => {
                local.code.replace();
                *local = Local::new(Rc::clone(&local.code), &tenant.version(), local.is_fixed);
                true
            }
            (Some(_), None) => {
                locals.remove(name);
                false
            }
        }
    }

    /// Lets go of apps that nobody uses, in two looks: the log is closed in the first.
    fn unload(&self, hub: &Hub, now: std::time::Instant) {
        self.locals.borrow_mut().retain(|name, local| {
            let idle = now.saturating_duration_since(local.code.used()) >= UNLOAD;
            if local.is_fixed || !idle || local.code.stats().instances > 0 {
                return true;
            }
            // Requests under way, sessions and sockets hold the entry.
            let closed = hub.close_line(name);
            !(closed && Rc::strong_count(&local.entry) == 1)
        });
    }

    fn stats(&self) -> Vec<CoreStats> {
        let stats = |(app, local): (&Arc<str>, &Local)| CoreStats {
            app: Arc::clone(app),
            calls: local.code.calls(),
            worker: local.code.stats(),
        };
        self.locals.borrow().iter().map(stats).collect()
    }

    fn reap(&self, now: std::time::Instant) {
        self.locals
            .borrow()
            .values()
            .for_each(|local| local.code.reap(now));
    }
}

impl Local {
    fn new(code: Rc<Code>, version: &Version, is_fixed: bool) -> Self {
        let entry = AppEntry {
            name: version.manifest.name.as_str().into(),
            settings: code.settings(version),
            code: Rc::clone(&code) as Rc<dyn session::App>,
            quota: code.quota(),
        };
        Self {
            entry: Rc::new(entry),
            web: Rc::new(version.web.clone()),
            code,
            is_fixed,
        }
    }
}

/// The core that fires an app's timers: one, so that each fires once.
pub(crate) fn core_of(app: &str, cores: usize) -> usize {
    app.bytes().fold(0, |sum: usize, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    }) % cores
}

async fn fire(hub: &Hub, entry: &Rc<AppEntry>, due: &Due) -> Result<(), Failure> {
    // Emits of a timer reach this core's sockets by the log, like any other.
    hub.open_line(entry)
        .await
        .map_err(|error| Failure::Unavailable(error.to_string()))?;
    let kind = CallKind::Timer {
        name: due.name.to_string(),
        id: due.id(),
        payload: due.payload.clone(),
    };
    let effects = entry
        .code
        .call(Call {
            socket: None,
            kind,
            trace: None,
        })
        .await?;
    hub.commit_detached(&entry.name, effects, None).await
}
