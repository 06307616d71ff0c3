use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backplane::Backplane;
use futures_util::future::join_all;
use platform::{AppDir, Catalogue, Platform};
use router::Failure;
use runtime::{Digest, Tier};
use session::{AppStats, Nodes, Shards};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use crate::{
    BuildError,
    apps::{Running, Tenant, Version},
    book::Book,
    cluster::Joined,
    core::{Command, CoreStats, core_of},
    logs::LogBook,
    rooms::small_runtime,
    secrets::Secrets,
    shelf::Shelf,
    tenants::Tenants,
    timers::Due,
    watched::Subscriptions,
};

/// A hold on a running node, from any thread.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    /// What the operator calls this node.
    pub(crate) node: String,
    pub(crate) backplane: Arc<dyn Backplane>,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) shards: Shards,
    pub(crate) cores: Vec<mpsc::UnboundedSender<Command>>,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) platform: Platform,
    pub(crate) secrets: Secrets,
    /// Held while changes of apps are taken in.
    pub(crate) taking_in: tokio::sync::Mutex<()>,
    /// An app is gone: there may be files of it.
    pub(crate) gone: Notify,
    /// Where an app's clients find it, `{app}` in it.
    pub(crate) url: String,
    pub(crate) ready: AtomicBool,
    /// `None`: alone.
    pub(crate) joined: Option<Joined>,
    /// A permit for each connection of a client that may be; so many there were.
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) connections_max: usize,
}

/// Whether a balancer should send new clients here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// Connections are kept, new ones would not get far.
    CutOff,
    /// Draining, or not started.
    Ending,
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

/// Sessions that a draining core closes in a second, at least.
const DRAIN_PER_SECOND_MIN: u32 = 100;
/// Giving the lease up may take this long: who ends may be ending because NATS is gone.
const LEAVE_MAX: Duration = Duration::from_secs(2);

impl Handle {
    /// Compiles what an app's folder has now and runs it from the next event on. No socket is closed. Blocking.
    pub fn reload(&self, app: &AppDir) -> Result<(), ReloadError> {
        let name = &app.manifest.name;
        let tenant = self
            .tenant(name)
            .ok_or_else(|| ReloadError::Unknown(name.clone()))?;
        let runtime = small_runtime()?;
        let version = runtime.block_on(Version::load(app, self.shelf(), self.0.cores.len()))?;
        tenant.replace(Running::only(version));
        self.tell_versions();
        if runtime.block_on(self.apply(&tenant.name)) {
            Ok(())
        } else {
            Err(ReloadError::Stopped)
        }
    }

    /// Has every core run what an app has now. False: the node is ending.
    pub(crate) async fn apply(&self, app: &Arc<str>) -> bool {
        let asked = self.ask_cores(|done| Command::Apply(Arc::clone(app), done));
        join_all(asked).await.iter().all(Result::is_ok)
    }

    /// Has every core read an app's log. False: one could not.
    pub(crate) async fn open(&self, app: &Arc<str>) -> bool {
        let asked = self.ask_cores(|done| Command::Open(Arc::clone(app), done));
        join_all(asked).await.into_iter().all(|opened| opened == Ok(true))
    }

    /// Runs the handler of a timer. `None`: the node is ending.
    pub(crate) async fn fire(&self, app: &Arc<str>, due: Due) -> Option<Result<(), Failure>> {
        let (done, wait) = oneshot::channel();
        let core = self.0.cores.get(core_of(app, self.0.cores.len()))?;
        core.send(Command::Fire(Arc::clone(app), due, done)).ok()?;
        wait.await.ok()
    }

    pub(crate) fn ask_cores<R>(
        &self,
        command: impl Fn(oneshot::Sender<R>) -> Command,
    ) -> Vec<oneshot::Receiver<R>> {
        let asked = self.0.cores.iter().map(|core| {
            let (done, wait) = oneshot::channel();
            // One that has ended does not answer.
            _ = core.send(command(done));
            wait
        });
        asked.collect()
    }

    pub(crate) fn readiness(&self) -> Readiness {
        if !self.0.ready.load(Ordering::Acquire) {
            Readiness::Ending
        } else if self.nodes().is_ready() {
            Readiness::Ready
        } else {
            Readiness::CutOff
        }
    }

    /// Puts what this node runs into its lease: others hear of it with the next renewal.
    pub(crate) fn tell_versions(&self) {
        let apps = self.0.tenants.fixed();
        let apps = apps
            .iter()
            .map(|tenant| (tenant.name.to_string(), tenant.digest()))
            .collect();
        self.nodes().update(|node| node.apps = apps);
    }

    pub(crate) fn nodes(&self) -> &Nodes {
        self.0.shards.nodes()
    }

    pub(crate) fn shards(&self) -> &Shards {
        &self.0.shards
    }

    pub(crate) fn logs(&self) -> &Arc<LogBook> {
        &self.0.tenants.logs
    }

    pub(crate) fn backplane(&self) -> &dyn Backplane {
        &*self.0.backplane
    }

    pub(crate) fn shared_backplane(&self) -> Arc<dyn Backplane> {
        Arc::clone(&self.0.backplane)
    }

    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.0.tenants.catalogue
    }

    pub(crate) fn platform(&self) -> &Platform {
        &self.0.platform
    }

    pub(crate) fn tenants(&self) -> &Tenants {
        &self.0.tenants
    }

    pub(crate) fn shelf(&self) -> &Shelf {
        &self.0.tenants.shelf
    }

    pub(crate) fn book(&self) -> &Book {
        &self.0.tenants.book
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    /// An app, woken to its settings if it slept; its code sleeps on.
    pub(crate) fn tenant(&self, name: &str) -> Option<Arc<Tenant>> {
        self.0.tenants.find(name)
    }

    /// What of an app is in this node's memory.
    pub(crate) fn tier(&self, app: &str, instances: usize) -> &'static str {
        let Some(entry) = self.tenants().awake(app) else {
            let entry = self.catalogue().get(app);
            return entry.map_or("remote", |entry| {
                tier_name(self.shelf().tier(Digest(entry.stable.component)))
            });
        };
        if instances > 0 {
            return "hot";
        }
        tier_name(self.shelf().tier(entry.version().digest))
    }

    /// What each core counts of an app that it runs.
    pub(crate) async fn on_cores(&self, app: &str) -> Vec<CoreStats> {
        let answers = join_all(self.ask_cores(Command::Stats)).await;
        let stats = answers.into_iter().flatten().flatten();
        stats.filter(|stats| *stats.app == *app).collect()
    }

    /// Where an app's clients find it.
    pub(crate) fn url(&self, app: &str) -> String {
        self.0.url.replace("{app}", app)
    }

    pub(crate) async fn sessions(&self, app: &Arc<str>) -> AppStats {
        self.0.shards.stats(Arc::clone(app)).await
    }

    /// Closes all connections within that time, then gives the lease up. No time at all: clients see the process end.
    pub(crate) async fn drain(&self, within: Duration) {
        if !within.is_zero() {
            self.close_connections(within).await;
        }
        // From here on the others take over whoever has not come back to them yet. Without it they would wait for the
        // lease to run out.
        let left = match tokio::time::timeout(LEAVE_MAX, self.nodes().leave()).await {
            Ok(left) => left.map_err(|error| error.to_string()),
            Err(late) => Err(late.to_string()),
        };
        if let Err(error) = left {
            tracing::warn!(%error, "the lease could not be given up; it runs out by itself");
        }
    }

    /// Over four fifths of the time, so that their clients do not come to the other nodes at once; the rest is for the
    /// last ones to leave.
    async fn close_connections(&self, within: Duration) {
        self.nodes().update(|node| node.draining = true);
        if let Err(error) = self.nodes().renew().await {
            tracing::warn!(%error, "the other nodes do not know that this one drains");
        }
        let mut sessions = 0;
        for tenant in self.0.tenants.all_awake() {
            sessions += self.sessions(&tenant.name).await.sessions;
        }
        let cores = self.0.cores.len() as u64;
        let pace = sessions * 1_250 / u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1) / cores;
        let pace = u32::try_from(pace).unwrap_or(u32::MAX).max(DRAIN_PER_SECOND_MIN);
        let asked = self.ask_cores(|done| Command::Drain {
            sessions_per_second: pace,
            within,
            done,
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

fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Warm => "warm",
        Tier::Cold => "cold",
        Tier::Remote => "remote",
    }
}
