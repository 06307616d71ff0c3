//! What a node does as its apps change: takes in what any node wrote, so that a deploy is live everywhere.
use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use runtime::Tier;
use session::Node;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    Handle,
    apps::Version,
    assets,
    code::Alarm,
    logs::{Origin, Said},
};

/// How a node stands with a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeState {
    pub(crate) node: String,
    pub(crate) state: Standing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Live,
    /// It has not heard of it yet.
    Behind,
    /// It cannot run it, and why.
    Failed(String),
}

/// Apps brought up to date at once.
const AT_ONCE: usize = 4;
/// A change of this many apps at once is a node's that was away: what it has to compile can wait for the first event.
const PREPARED_MAX: usize = 16;
/// Failures that a lease tells of.
const FAILED_MAX: usize = 20;
const FAILED_BYTES_MAX: usize = 500;
const RETRY: Duration = Duration::from_secs(1);
/// What a node could not run is tried again this often: a bundle or a component may be there by then.
const RETRY_FAILED: Duration = Duration::from_mins(1);
/// Other nodes' leases are looked at this often meanwhile.
const LOOK: Duration = Duration::from_millis(100);
/// Who takes back a version that does not work.
const ITSELF: &str = "wakeline";

/// Takes in changes for as long as the node runs.
pub(crate) async fn follow(handle: Handle) {
    let mut failing = false;
    let mut retry = Instant::now() + RETRY_FAILED;
    loop {
        if Instant::now() >= retry {
            handle.retry_failed().await;
            retry = Instant::now() + RETRY_FAILED;
        }
        match handle.take_in().await {
            Ok(()) => failing = false,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "changes of apps cannot be read now; trying again");
                }
                tokio::time::sleep(RETRY).await;
            }
        }
        handle.catalogue().changed().await;
    }
}

/// Takes back versions whose first calls trap, for as long as the node runs.
pub(crate) async fn hear_alarms(handle: Handle, mut alarms: mpsc::UnboundedReceiver<Alarm>) {
    while let Some(Alarm { app, version, reason }) = alarms.recv().await {
        let outcome = handle
            .platform()
            .mark_failed(&app, version, &reason, ITSELF)
            .await;
        let message = match outcome {
            Ok(platform::Failure::NotLive) => continue,
            Ok(platform::Failure::RolledBack { to }) => {
                format!("version {version} trapped in its first calls: version {to} is live again")
            }
            Ok(platform::Failure::CanaryEnded) => {
                format!(
                    "version {version} trapped in its first calls: the stable version has all sockets again"
                )
            }
            Ok(platform::Failure::NothingBefore) => {
                format!("version {version} trapped in its first calls; there is none before it to go back to")
            }
            Err(error) => {
                format!("version {version} trapped in its first calls and cannot be taken back: {error}")
            }
        };
        if let Some(tenant) = handle.tenant(&app) {
            let text = format!("{message}\n{reason}");
            tenant.logs.say(Said {
                origin: Origin::Host,
                level: runtime::LogLevel::Error,
                context: "deploy",
                message: &text,
                socket: None,
                trace: None,
            });
        }
        if let Err(error) = handle.take_in().await {
            tracing::warn!(%app, %error, "the version before is not live here yet");
        }
    }
}

impl Handle {
    /// Takes in what any node has written of apps until now. Answers when calls that begin here run what it says.
    pub(crate) async fn take_in(&self) -> Result<(), backplane::Error> {
        // Whoever finds nothing new must not say that it runs before whoever found it has brought it up.
        let _one_at_a_time = self.0.taking_in.lock().await;
        let changed = self.catalogue().refresh().await?;
        let prepare = changed.len() <= PREPARED_MAX;
        let brought = stream::iter(changed.iter().cloned())
            .map(|app| async move {
                let brought = self.bring_up(&app, prepare).await;
                (app, brought)
            })
            .buffer_unordered(AT_ONCE);
        let brought: Vec<_> = brought.collect().await;
        let applied = self.catalogue().applied();
        self.nodes().update(|node| {
            for (app, outcome) in brought {
                note(node, &app, outcome.err());
            }
            node.catalogue = Some(applied);
        });
        if changed.iter().any(|app| self.catalogue().get(app).is_none()) {
            self.0.gone.notify_one();
        }
        if !changed.is_empty()
            && let Err(error) = self.nodes().renew().await
        {
            tracing::debug!(%error, "other nodes hear of it with the next lease");
        }
        Ok(())
    }

    async fn retry_failed(&self) {
        let _one_at_a_time = self.0.taking_in.lock().await;
        let failed: Vec<String> = self.nodes().own().failed.into_keys().collect();
        for app in failed {
            let outcome = self.bring_up(&app.as_str().into(), true).await;
            self.nodes().update(|node| note(node, &app, outcome.err()));
        }
    }

    /// Has this node run what the catalogue says of an app.
    async fn bring_up(&self, app: &Arc<str>, prepare: bool) -> Result<(), String> {
        let prepared = if prepare { self.prepare(app).await } else { Ok(()) };
        let refreshed = self.tenants().refresh(app);
        let renewed = match self.tenants().awake(app) {
            Some(tenant) => self.secrets().renew(&tenant).await,
            None => Ok(()),
        };
        if self.catalogue().get(app).is_none()
            && !self.tenants().is_fixed(app)
            && let Some(timers) = self.book().find(app)
        {
            timers.clear();
        }
        self.apply(app).await;
        prepared.and(refreshed).and(renewed).inspect_err(|problem| {
            tracing::error!(%app, %problem, "this node cannot run what is live of the app");
        })
    }

    /// Fetches files and code, so that the first event need not wait for them.
    async fn prepare(&self, app: &str) -> Result<(), String> {
        let Some(entry) = self.catalogue().get(app) else {
            return Ok(());
        };
        let canary = entry.canary.as_ref().map(|canary| &canary.live);
        for live in std::iter::once(&entry.stable).chain(canary) {
            if let Some(digest) = live.assets {
                assets::bring(self, runtime::Digest(digest)).await?;
            }
            let version: Version = self.tenants().version(&entry, live)?;
            if self.shelf().tier(version.digest) == Tier::Remote {
                let got = self.shelf().get(&version.wanted()).await;
                got.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    /// Waits until every node that lives has taken in what the catalogue has here, or cannot, or `within` has passed.
    pub(crate) async fn wait_applied(&self, app: &str, within: Duration) -> Vec<NodeState> {
        let deadline = Instant::now() + within;
        loop {
            let states = self.states(app);
            let settled = states.iter().all(|node| node.state != Standing::Behind);
            if settled || Instant::now() >= deadline {
                return states;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How each node that lives stands with an app, by its lease.
    pub(crate) fn states(&self, app: &str) -> Vec<NodeState> {
        let nodes = self.nodes();
        let mut own = nodes.own();
        own.name.clone_from(&self.0.node);
        let wanted = self.catalogue().applied();
        let others = nodes.others();
        let all = std::iter::once(&own).chain(others.iter().map(|node| &**node));
        all.map(|node| NodeState {
            node: node.name.clone(),
            state: match node.failed.get(app) {
                Some(reason) => Standing::Failed(reason.clone()),
                None if node.catalogue.is_some_and(|has| has >= wanted) => Standing::Live,
                None => Standing::Behind,
            },
        })
        .collect()
    }
}

fn note(node: &mut Node, app: &str, problem: Option<String>) {
    match problem {
        None => _ = node.failed.remove(app),
        Some(mut problem) => {
            let mut end = problem.len().min(FAILED_BYTES_MAX);
            while !problem.is_char_boundary(end) {
                end -= 1;
            }
            problem.truncate(end);
            if node.failed.len() < FAILED_MAX || node.failed.contains_key(app) {
                node.failed.insert(app.to_owned(), problem);
            }
        }
    }
}
