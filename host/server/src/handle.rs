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
use session::{AppStats, Shards};
use tokio::sync::{mpsc, oneshot};

use crate::{
    BuildError,
    apps::{Tenant, Version},
    core::{Command, CoreStats},
    metrics::AppNumbers,
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
    pub(crate) async fn drain(&self, within: Duration) {
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
