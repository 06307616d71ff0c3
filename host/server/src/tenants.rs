//! The apps that this node answers for: those of folders, which are there for good, and the catalogue's, each of which is
//! nothing but its entry there until somebody speaks to it.
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use backplane::Backplane;
use parking_lot::RwLock;
use platform::{Catalogue, Ceilings, Entry};

use crate::{
    apps::{Canary, Running, Tenant, Version},
    book::Book,
    logs::{LogBook, Logs},
    shelf::Shelf,
    store::Store,
};

/// Shared by all cores and the admin listener.
pub(crate) struct Tenants {
    pub(crate) catalogue: Catalogue,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) book: Arc<Book>,
    backplane: Arc<dyn Backplane>,
    ceilings: Ceilings,
    /// Where bundles of files are unpacked, each under its digest.
    assets: PathBuf,
    cores: usize,
    pub(crate) logs: Arc<LogBook>,
    awake: RwLock<BTreeMap<Arc<str>, Awake>>,
}

/// What [`Tenants`] is made of.
pub(crate) struct Grounds {
    pub(crate) catalogue: Catalogue,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) book: Arc<Book>,
    pub(crate) backplane: Arc<dyn Backplane>,
    pub(crate) ceilings: Ceilings,
    pub(crate) assets: PathBuf,
    pub(crate) cores: usize,
    pub(crate) logs: Arc<LogBook>,
}

struct Awake {
    tenant: Arc<Tenant>,
    /// From a folder.
    is_fixed: bool,
    /// Since when only we hold it.
    idle_since: Option<Instant>,
}

/// An app that no core holds any more is forgotten after this.
const FORGET: Duration = Duration::from_mins(10);

impl Tenants {
    pub(crate) fn new(grounds: Grounds) -> Self {
        let Grounds {
            catalogue,
            shelf,
            book,
            backplane,
            ceilings,
            assets,
            cores,
            logs,
        } = grounds;
        Self {
            catalogue,
            shelf,
            book,
            backplane,
            // What was taken under higher ones runs on under these.
            ceilings: ceilings.holding(),
            assets,
            cores,
            logs,
            awake: RwLock::default(),
        }
    }

    /// Puts an app from a folder among them, for good.
    pub(crate) fn fix(&self, version: Version) -> Arc<Tenant> {
        let tenant = self.wake(&version.manifest.name.clone().into(), Running::only(version));
        let awake = Awake {
            tenant: Arc::clone(&tenant),
            is_fixed: true,
            idle_since: None,
        };
        self.awake.write().insert(Arc::clone(&tenant.name), awake);
        tenant
    }

    /// An app, made from its entry if need be. `None`: there is none, or nothing of it can run.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Tenant>> {
        if let Some(awake) = self.awake.read().get(name) {
            return Some(Arc::clone(&awake.tenant));
        }
        // The entry is read under the lock: a change of it that comes now finds the app awake, and is not missed.
        let mut all = self.awake.write();
        if let Some(awake) = all.get(name) {
            return Some(Arc::clone(&awake.tenant));
        }
        let entry = self.catalogue.get(name)?;
        let running = self
            .running(&entry)
            .inspect_err(|problem| tracing::warn!(app = name, %problem, "the app cannot run"))
            .ok()?;
        let tenant = self.wake(&entry.name, running);
        let awake = Awake {
            tenant: Arc::clone(&tenant),
            is_fixed: false,
            idle_since: None,
        };
        all.insert(Arc::clone(&entry.name), awake);
        Some(tenant)
    }

    /// An app that is in memory.
    pub(crate) fn awake(&self, name: &str) -> Option<Arc<Tenant>> {
        self.awake.read().get(name).map(|awake| Arc::clone(&awake.tenant))
    }

    /// All that are in memory.
    pub(crate) fn all_awake(&self) -> Vec<Arc<Tenant>> {
        self.awake
            .read()
            .values()
            .map(|awake| Arc::clone(&awake.tenant))
            .collect()
    }

    /// Those of folders.
    pub(crate) fn fixed(&self) -> Vec<Arc<Tenant>> {
        let all = self.awake.read();
        let fixed = all.values().filter(|awake| awake.is_fixed);
        fixed.map(|awake| Arc::clone(&awake.tenant)).collect()
    }

    pub(crate) fn is_fixed(&self, name: &str) -> bool {
        self.awake.read().get(name).is_some_and(|awake| awake.is_fixed)
    }

    /// An entry of the catalogue has changed: the app runs what it has now. An error says why it cannot; it goes on with
    /// what it ran.
    pub(crate) fn refresh(&self, name: &str) -> Result<(), String> {
        if self.is_fixed(name) {
            return Ok(());
        }
        let Some(entry) = self.catalogue.get(name) else {
            self.awake.write().remove(name);
            self.logs.forget(name);
            return Ok(());
        };
        match self.awake(name) {
            Some(tenant) => tenant.replace(self.next(&tenant.running(), &entry)?),
            // Asleep: whether it could run is found out all the same.
            None => drop(self.running(&entry)?),
        }
        Ok(())
    }

    /// Forgets apps that nobody holds.
    pub(crate) fn sweep(&self, now: Instant) {
        self.awake.write().retain(|_, awake| {
            if awake.is_fixed || Arc::strong_count(&awake.tenant) > 1 {
                awake.idle_since = None;
                return true;
            }
            let since = *awake.idle_since.get_or_insert(now);
            now.saturating_duration_since(since) < FORGET
        });
        self.book.sweep();
    }

    fn wake(&self, name: &Arc<str>, running: Running) -> Arc<Tenant> {
        let store = Store::new(Arc::clone(&self.backplane), name);
        let logs = Arc::new(Logs::new(Arc::clone(name), Arc::clone(&self.logs)));
        Arc::new(Tenant::new(running, store, self.book.of(name), logs))
    }

    fn running(&self, entry: &Entry) -> Result<Running, String> {
        let canary = entry.canary.as_ref().map(|canary| {
            let version = Arc::new(self.version(entry, &canary.live)?);
            let percent = canary.percent;
            Ok::<_, String>(Canary { version, percent })
        });
        Ok(Running {
            stable: Arc::new(self.version(entry, &entry.stable)?),
            canary: canary.transpose()?,
        })
    }

    /// Versions that run already stay what they are: their trial goes on.
    fn next(&self, now: &Running, entry: &Entry) -> Result<Running, String> {
        let mut next = self.running(entry)?;
        let known = || {
            [
                Some(&now.stable),
                now.canary.as_ref().map(|canary| &canary.version),
            ]
        };
        let same = |version: &Arc<Version>| {
            let found = known()
                .into_iter()
                .flatten()
                .find(|known| known.number == version.number);
            Arc::clone(found.unwrap_or(version))
        };
        next.stable = same(&next.stable);
        if let Some(canary) = &mut next.canary {
            canary.version = same(&canary.version);
        }
        Ok(next)
    }

    pub(crate) fn assets(&self) -> &Path {
        &self.assets
    }

    pub(crate) fn version(&self, entry: &Entry, live: &platform::Live) -> Result<Version, String> {
        Version::uploaded(&entry.name, live, &self.ceilings, &self.assets, self.cores)
    }
}
