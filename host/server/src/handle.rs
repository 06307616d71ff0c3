use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backplane::Backplane;
use futures_util::future::join_all;
use parking_lot::RwLock;
use platform::AppDir;
use runtime::Engine;
use session::{AppStats, Nodes, Shards};
use tokio::sync::{mpsc, oneshot};

use crate::{
    BuildError,
    apps::{Tenant, Version},
    cluster::Joined,
    core::{Command, CoreStats},
    metrics::{AppNumbers, NodeNumbers},
    rooms::small_runtime,
};

/// A hold on a running node, from any thread.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) backplane: Arc<dyn Backplane>,
    pub(crate) shards: Shards,
    pub(crate) cores: Vec<mpsc::UnboundedSender<Command>>,
    pub(crate) tenants: RwLock<BTreeMap<Arc<str>, Arc<Tenant>>>,
    pub(crate) ready: AtomicBool,
    /// `None`: alone.
    pub(crate) joined: Option<Joined>,
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
        let version = runtime.block_on(Version::load(app, &self.0.engine, self.0.cores.len()))?;
        tenant.replace(Arc::new(version));
        self.tell_versions();
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
        let apps = self.tenants();
        let apps = apps
            .iter()
            .map(|tenant| (tenant.name.to_string(), tenant.digest()))
            .collect();
        self.nodes().update(|node| node.apps = apps);
    }

    pub(crate) fn nodes(&self) -> &Nodes {
        self.0.shards.nodes()
    }

    pub(crate) fn node_numbers(&self) -> NodeNumbers {
        NodeNumbers {
            ready: self.readiness() == Readiness::Ready,
            cluster: self.0.joined.as_ref().map(|joined| joined.numbers(self.nodes())),
        }
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
