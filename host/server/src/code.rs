//! An app's code on one core: workers of the runtime, behind what a session and the runtime ask for.
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use auth::KeyCache;
use futures_util::future::LocalBoxFuture;
use router::{Call, Effect, Failure, Trace};
use runtime::{Component, Host, Lanes, LogLevel, Source, Stats, Tier, Worker};
use session::{AppSettings, Shards};
use tokio::sync::mpsc;
use tracing::Instrument;

use crate::{
    app_host::AppHost,
    apps::{Tenant, Version},
    logs::{Origin, Said},
    metrics::{self, Calls, Kind},
    migrate, quota,
    secrets::Secrets,
    shelf::{Shelf, ShelfError},
    traces,
};

/// Implements [`session::App`].
pub(crate) struct Code(Rc<Inner>);

/// What all apps' code on a core shares.
#[derive(Clone)]
pub(crate) struct CodeGrounds {
    pub(crate) shards: Shards,
    pub(crate) shelf: Arc<Shelf>,
    /// Of all apps on one core.
    pub(crate) instances_max: usize,
    /// Of all cores.
    pub(crate) lanes: Lanes,
    pub(crate) secrets: Secrets,
    pub(crate) keys: Arc<KeyCache>,
    pub(crate) alarms: mpsc::UnboundedSender<Alarm>,
}

/// A version that has just gone live traps: it is to be taken back.
pub(crate) struct Alarm {
    pub(crate) app: Arc<str>,
    pub(crate) version: u32,
    /// The guest's backtrace included.
    pub(crate) reason: String,
}

struct Inner {
    tenant: Arc<Tenant>,
    grounds: CodeGrounds,
    /// Replaced by a deploy. Calls hold the version that they began with. Borrowed only to clone.
    live: RefCell<Live>,
    calls: RefCell<Calls>,
    /// What workers of versions that are gone have counted.
    past: Cell<Stats>,
    used: Cell<Instant>,
}

#[derive(Clone)]
struct Live {
    stable: Runner,
    canary: Option<(u8, Runner)>,
}

/// A version and its worker here.
#[derive(Clone)]
struct Runner {
    version: Arc<Version>,
    worker: Rc<Worker>,
}

impl Code {
    pub(crate) fn new(tenant: Arc<Tenant>, grounds: CodeGrounds) -> Self {
        let live = Live::of(&tenant, &grounds, None);
        Self(Rc::new(Inner {
            tenant,
            grounds,
            live: RefCell::new(live),
            calls: RefCell::default(),
            past: Cell::default(),
            used: Cell::new(Instant::now()),
        }))
    }

    /// What sessions are to know of a version: who checks its clients' tokens, too.
    pub(crate) fn settings(&self, version: &Version) -> Arc<AppSettings> {
        let Some(guard) = &version.guard else {
            return Arc::clone(&version.settings);
        };
        let CodeGrounds { keys, secrets, .. } = &self.0.grounds;
        let auth = Some(guard.settings(keys, secrets, &self.0.tenant, version));
        Arc::new(AppSettings {
            auth,
            ..AppSettings::clone(&version.settings)
        })
    }

    /// Takes over what the app runs now. Calls that have begun end with the code that they began with.
    pub(crate) fn replace(&self) {
        let before = self.0.live.borrow().clone();
        let after = Live::of(&self.0.tenant, &self.0.grounds, Some(&before));
        for gone in before.runners() {
            if !after
                .runners()
                .any(|runner| Rc::ptr_eq(&runner.worker, &gone.worker))
            {
                self.0
                    .past
                    .set(sum(self.0.past.get(), counted(gone.worker.stats())));
            }
        }
        self.0.live.replace(after);
    }

    pub(crate) fn reap(&self, now: Instant) {
        for runner in self.0.live.borrow().runners() {
            runner.worker.reap(now);
        }
    }

    /// Of all versions together.
    pub(crate) fn stats(&self) -> Stats {
        let live = self.0.live.borrow();
        live.runners()
            .fold(self.0.past.get(), |all, runner| sum(all, runner.worker.stats()))
    }

    pub(crate) fn calls(&self) -> Calls {
        self.0.calls.borrow().clone()
    }

    /// What its clients have used.
    pub(crate) fn quota(&self) -> Arc<session::Quota> {
        Arc::clone(&self.0.tenant.quotas.clients)
    }

    /// When a call began last.
    pub(crate) fn used(&self) -> Instant {
        self.0.used.get()
    }
}

impl Live {
    /// Versions that ran before keep their workers.
    fn of(tenant: &Arc<Tenant>, grounds: &CodeGrounds, before: Option<&Self>) -> Self {
        let running = tenant.running();
        let runner = |version: &Arc<Version>| {
            let known = before.and_then(|before| {
                let same = |runner: &&Runner| Arc::ptr_eq(&runner.version, version);
                before.runners().find(same).cloned()
            });
            known.unwrap_or_else(|| Runner::new(tenant, version, grounds))
        };
        Self {
            stable: runner(&running.stable),
            canary: running
                .canary
                .as_ref()
                .map(|canary| (canary.percent, runner(&canary.version))),
        }
    }

    fn runners(&self) -> impl Iterator<Item = &Runner> {
        std::iter::once(&self.stable).chain(self.canary.as_ref().map(|(_, runner)| runner))
    }
}

impl Runner {
    fn new(tenant: &Arc<Tenant>, version: &Arc<Version>, grounds: &CodeGrounds) -> Self {
        let host = Arc::new(AppHost {
            tenant: Arc::clone(tenant),
            version: Arc::clone(version),
            shards: grounds.shards.clone(),
        });
        let source = Rc::new(FromShelf {
            tenant: Arc::clone(tenant),
            version: Arc::clone(version),
            grounds: grounds.clone(),
        });
        let limits = version.limits.clone();
        Self {
            version: Arc::clone(version),
            worker: Rc::new(quota::worker(
                source,
                host as Arc<dyn Host>,
                limits,
                &tenant.quotas,
            )),
        }
    }
}

impl session::App for Code {
    fn call(&self, mut call: Call) -> LocalBoxFuture<'static, Result<Vec<Effect>, Failure>> {
        let inner = Rc::clone(&self.0);
        Box::pin(async move { inner.call(&mut call).await })
    }
}

impl Inner {
    async fn call(&self, call: &mut Call) -> Result<Vec<Effect>, Failure> {
        let kind = Kind::of(&call.kind);
        let span = traces::begin(call, &self.tenant.name, kind.name());
        match span {
            None => self.run(call, kind).await,
            Some(span) => Box::pin(self.run(call, kind).instrument(span)).await,
        }
    }

    async fn run(&self, call: &mut Call, kind: Kind) -> Result<Vec<Effect>, Failure> {
        let trace = call.trace;
        let socket = call.socket.as_ref().map(|socket| Arc::clone(&socket.id));
        let started = Instant::now();
        self.used.set(started);
        let Runner { version, worker } = self.runner(socket.as_deref());
        let outcome = migrate::call(&worker, version.number, call).await;
        self.calls.borrow_mut().record(kind, &outcome, started.elapsed());
        if trace.is_some() {
            tracing::Span::current().record("outcome", metrics::outcome(&outcome));
        }
        if let Err(failure) = &outcome {
            self.log(kind, failure, socket.as_deref(), trace);
        }
        if version.trial.fails(&outcome) {
            let reason = outcome
                .as_ref()
                .err()
                .map(ToString::to_string)
                .unwrap_or_default();
            let alarm = Alarm {
                app: Arc::clone(&self.tenant.name),
                version: version.number,
                reason,
            };
            // Nobody hears where the node is ending.
            _ = self.grounds.alarms.send(alarm);
        }
        outcome
    }

    /// The version that a socket gets; what concerns no socket gets the stable one.
    fn runner(&self, socket: Option<&str>) -> Runner {
        let live = self.live.borrow();
        match (&live.canary, socket) {
            (Some((percent, runner)), Some(socket)) if crate::apps::is_among(socket, *percent) => {
                runner.clone()
            }
            _ => live.stable.clone(),
        }
    }

    fn log(&self, kind: Kind, failure: &Failure, socket: Option<&str>, trace: Option<Trace>) {
        let level = match failure {
            Failure::Refused(_) => return,
            Failure::Returned(_) => LogLevel::Warn,
            _ => LogLevel::Error,
        };
        let message = format!("handle-{}: {failure}", kind.name());
        self.tenant.logs.say(Said {
            origin: Origin::Host,
            level,
            context: kind.name(),
            message: &message,
            socket,
            trace: trace.map(|trace| trace.id_text()).as_deref(),
        });
    }
}

/// A version's code, wherever it is now, and before it the secrets that it may read.
struct FromShelf {
    tenant: Arc<Tenant>,
    version: Arc<Version>,
    grounds: CodeGrounds,
}

impl Source for FromShelf {
    fn component(&self) -> LocalBoxFuture<'_, Result<(Component, Tier), Failure>> {
        Box::pin(async {
            self.grounds.secrets.bring(&self.tenant).await?;
            let found = self.grounds.shelf.get(&self.version.wanted()).await;
            found.map_err(|error| match error {
                ShelfError::Compile(error) => {
                    self.tenant.quotas.hits().bump_named(&error.to_string());
                    Failure::Trapped(error.to_string())
                }
                error => Failure::Unavailable(error.to_string()),
            })
        })
    }
}

/// What stays counted when a worker is gone.
fn counted(stats: Stats) -> Stats {
    Stats {
        instances: 0,
        idle: 0,
        ..stats
    }
}

fn sum(a: Stats, b: Stats) -> Stats {
    Stats {
        instances: a.instances + b.instances,
        idle: a.idle + b.idle,
        calls: a.calls + b.calls,
        wakes_hot: a.wakes_hot + b.wakes_hot,
        wakes_warm: a.wakes_warm + b.wakes_warm,
        wakes_cold: a.wakes_cold + b.wakes_cold,
        wakes_remote: a.wakes_remote + b.wakes_remote,
        traps: a.traps + b.traps,
        limits: a.limits + b.limits,
        conflicts: a.conflicts + b.conflicts,
    }
}

/// `[config]`, and the app's secrets over it.
pub(crate) fn merged(
    config: &Arc<BTreeMap<String, String>>,
    secrets: Option<&Arc<BTreeMap<String, String>>>,
) -> Arc<BTreeMap<String, String>> {
    match secrets.filter(|secrets| !secrets.is_empty()) {
        None => Arc::clone(config),
        Some(secrets) => {
            let mut all = BTreeMap::clone(config);
            all.extend(secrets.iter().map(|(key, value)| (key.clone(), value.clone())));
            Arc::new(all)
        }
    }
}
