//! One core of the node: a thread with its own runtime, listener, hub and workers. What is on it stays on it.
use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc, time::Duration};

use backplane::Backplane;
use router::{Call, CallKind, Failure};
use session::{AppEntry, Apps, Hub, Shards, Work};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinHandle, LocalSet, spawn_local},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout_at},
};
use transport::{Peering, Site, TransportConfig, Web, WebSettings};

use crate::{apps::Tenant, code::Code, metrics::Calls, timers::Due};

/// What a core is made of; sent to its thread.
pub(crate) struct Core {
    pub(crate) shard: u16,
    /// Whether an earlier process may have left sockets that are to be taken in.
    pub(crate) restores: bool,
    pub(crate) shards: Shards,
    pub(crate) inbox: mpsc::UnboundedReceiver<Work>,
    pub(crate) backplane: Arc<dyn Backplane>,
    pub(crate) listener: std::net::TcpListener,
    /// For other nodes; with `peering`.
    pub(crate) peer_listener: Option<std::net::TcpListener>,
    pub(crate) peering: Option<Arc<Peering>>,
    pub(crate) transport: Arc<dyn Fn() -> TransportConfig + Send + Sync>,
    pub(crate) tenants: Vec<Arc<Tenant>>,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
}

/// What a core is told from other threads. Dropping the sender ends the core.
pub(crate) enum Command {
    /// Loads an app, or takes over its new version. Answers when calls that begin run it.
    Apply(Arc<Tenant>, oneshot::Sender<()>),
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
/// Waits between tries to run a timer's handler that could not be run.
const TIMER_RETRY_MIN: Duration = Duration::from_secs(1);
const TIMER_RETRY_MAX: Duration = Duration::from_secs(60);

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
        let registry = Rc::new(Registry::default());
        let hub = Hub::start(self.shard, self.shards, self.inbox, self.backplane);
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
            shard: self.shard,
            accepting,
            connections: RefCell::default(),
        };
        for tenant in self.tenants {
            running.apply(&tenant);
            if self.restores {
                running.restore(&tenant.name);
            }
        }
        running.connections.replace(Some(spawn_local(serving)));
        // Closes with this core's drain, which until then still answers for its sessions. Not waited for: most
        // connections there are idle ones that another node keeps.
        peers.map(spawn_local);
        let mut reaping = interval(REAP_INTERVAL);
        reaping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Nobody waits for it if the start was given up: the commands end then, too.
        _ = ready.send(());
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    None => return Ok(()),
                    Some(command) => running.obey(command),
                },
                now = reaping.tick() => running.registry.reap(now.into_std()),
            }
        }
    }
}

/// A core at work.
struct Running {
    registry: Rc<Registry>,
    hub: Hub,
    shard: u16,
    /// Turns false once, when the core has drained.
    accepting: watch::Sender<bool>,
    /// Accepts and serves; ends with the last connection. Taken by the drain.
    connections: RefCell<Option<JoinHandle<()>>>,
}

impl Running {
    fn obey(&self, command: Command) {
        // Whoever asked may have given up waiting: nothing is lost with the answer.
        match command {
            Command::Apply(tenant, done) => {
                self.apply(&tenant);
                _ = done.send(());
            }
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

    /// Takes in what an earlier process left, so that those who do not come back are seen to leave.
    fn restore(&self, app: &str) {
        let (Some(entry), hub) = (self.registry.find(app), self.hub.clone()) else {
            return;
        };
        spawn_local(async move {
            if let Err(error) = hub.open_line(&entry).await {
                tracing::error!(app = %entry.name, %error, "sockets of the last run cannot be restored yet");
            }
        });
    }

    fn apply(&self, tenant: &Arc<Tenant>) {
        let version = tenant.version();
        let mut apps = self.registry.0.borrow_mut();
        let known = apps.get(&tenant.name).map(|local| Rc::clone(&local.code));
        let is_new = known.is_none();
        let code = known.unwrap_or_else(|| Rc::new(Code::new(Arc::clone(tenant), self.hub.shards().clone())));
        if !is_new {
            code.replace(&version);
        }
        let entry = Rc::new(AppEntry {
            name: Arc::clone(&tenant.name),
            settings: Arc::clone(&version.settings),
            code: Rc::clone(&code) as Rc<dyn session::App>,
        });
        let local = Local {
            entry,
            web: Rc::new(version.web.clone()),
            code,
        };
        apps.insert(Arc::clone(&tenant.name), local);
        drop(apps);
        if is_new && core_of(&tenant.name, self.hub.shards().count()) == usize::from(self.shard) {
            if let Some(changes) = self.hub.shards().nodes().changes() {
                let tenant = Arc::clone(tenant);
                spawn_local(async move { tenant.timers.follow(&tenant.store, changes).await });
            }
            spawn_local(run_timers(
                Arc::clone(tenant),
                Rc::clone(&self.registry),
                self.hub.clone(),
            ));
        }
    }
}

/// The apps of one core. Borrowed only within calls that do not await.
#[derive(Default)]
struct Registry(RefCell<HashMap<Arc<str>, Local>>);

struct Local {
    entry: Rc<AppEntry>,
    web: Rc<WebSettings>,
    code: Rc<Code>,
}

impl Apps for Registry {
    fn find(&self, name: &str) -> Option<Rc<AppEntry>> {
        self.0.borrow().get(name).map(|local| Rc::clone(&local.entry))
    }
}

impl Web for Registry {
    fn web(&self, app: &str) -> Option<Rc<WebSettings>> {
        self.0.borrow().get(app).map(|local| Rc::clone(&local.web))
    }
}

impl Registry {
    fn stats(&self) -> Vec<CoreStats> {
        let stats = |(app, local): (&Arc<str>, &Local)| CoreStats {
            app: Arc::clone(app),
            calls: local.code.calls(),
            worker: local.code.worker().stats(),
        };
        self.0.borrow().iter().map(stats).collect()
    }

    fn reap(&self, now: std::time::Instant) {
        self.0
            .borrow()
            .values()
            .for_each(|local| _ = local.code.worker().reap(now));
    }
}

/// The core that fires an app's timers: one, so that each fires once.
fn core_of(app: &str, cores: usize) -> usize {
    app.bytes().fold(0, |sum: usize, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    }) % cores
}

/// Fires an app's timers one after another, for as long as the core runs.
async fn run_timers(tenant: Arc<Tenant>, registry: Rc<Registry>, hub: Hub) {
    loop {
        let nodes = hub.shards().nodes();
        let is_ours = |name: &str| nodes.is_chosen(&format!("{}/{name}", tenant.name));
        let due = tenant.timers.next(&tenant.store, is_ours).await;
        let mut retry = TIMER_RETRY_MIN;
        loop {
            let Some(entry) = registry.find(&tenant.name) else {
                return;
            };
            match fire(&hub, &entry, &due).await {
                // It never ran, or nothing of it happened for a reason of ours: at least once means trying again.
                Err(Failure::Unavailable(_)) => sleep(retry).await,
                Ok(()) | Err(_) => break,
            }
            retry = (retry * 2).min(TIMER_RETRY_MAX);
        }
        tenant.timers.done(&tenant.store, &due).await;
    }
}

async fn fire(hub: &Hub, entry: &Rc<AppEntry>, due: &Due) -> Result<(), Failure> {
    // Emits of a timer reach this core's sockets by the log, like any other.
    hub.open_line(entry)
        .await
        .map_err(|error| Failure::Unavailable(error.to_string()))?;
    let kind = CallKind::Timer {
        name: due.name.to_string(),
        payload: due.payload.clone(),
    };
    let effects = entry.code.call(Call { socket: None, kind }).await?;
    hub.commit_detached(&entry.name, effects).await
}
