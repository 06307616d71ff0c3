//! The timers of all apps that have any, whether or not the apps are awake.
use std::{collections::HashMap, sync::Arc, time::Duration};

use backplane::{Backplane, Error};
use futures_util::StreamExt;
use parking_lot::Mutex;
use router::Failure;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use crate::{
    Handle,
    store::{Store, TIMED_BUCKET, TIMERS_TOPIC},
    timers::{Changed, Due, Timers},
};

/// One a node.
pub(crate) struct Book {
    backplane: Arc<dyn Backplane>,
    apps: Mutex<HashMap<Arc<str>, Arc<Timers>>>,
    began: mpsc::UnboundedSender<Arc<str>>,
}

/// Hears which apps have timers that nobody waits for.
pub(crate) type Began = mpsc::UnboundedReceiver<Arc<str>>;

/// Waits between tries to run a timer's handler that could not be run.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Between two readings of all timers, where other nodes may have set some unheard.
const RELOAD: Duration = Duration::from_mins(1);
/// Apps listed at once.
const PAGE: usize = 1_000;

impl Book {
    pub(crate) fn new(backplane: Arc<dyn Backplane>) -> (Self, Began) {
        let (began, hears) = mpsc::unbounded_channel();
        let book = Self {
            backplane,
            apps: Mutex::default(),
            began,
        };
        (book, hears)
    }

    pub(crate) fn of(&self, app: &Arc<str>) -> Arc<Timers> {
        let mut apps = self.apps.lock();
        let timers = apps
            .entry(Arc::clone(app))
            .or_insert_with(|| Arc::new(Timers::new(Arc::clone(app), self.began.clone())));
        Arc::clone(timers)
    }

    /// Those of an app that is awake or has some.
    pub(crate) fn find(&self, app: &str) -> Option<Arc<Timers>> {
        self.apps.lock().get(app).cloned()
    }

    /// Forgets apps that have none and are not awake.
    pub(crate) fn sweep(&self) {
        self.apps
            .lock()
            .retain(|_, timers| timers.len() > 0 || Arc::strong_count(timers) > 1);
    }

    /// Reads the timers of every app that may have some: at start, and where what nodes tell each other may have been lost.
    pub(crate) async fn reload(&self) -> Result<(), Error> {
        let mut after = None::<String>;
        loop {
            let apps = self
                .backplane
                .keys(TIMED_BUCKET, "", after.as_deref(), PAGE)
                .await?;
            for app in &apps {
                let store = Store::new(Arc::clone(&self.backplane), app);
                self.of(&app.as_str().into()).reload(&store).await?;
            }
            if apps.len() < PAGE {
                return Ok(());
            }
            after = apps.into_iter().next_back();
        }
    }

    /// Hears of timers that other nodes set, and reads all of them anew when nodes come or go, and now and then, since
    /// what is told may be lost. Ends with `changes`.
    pub(crate) async fn follow(&self, mut changes: watch::Receiver<u64>) {
        let mut told = loop {
            match self.backplane.subscribe(TIMERS_TOPIC).await {
                Ok(told) => break told,
                Err(error) => {
                    tracing::warn!(%error, "other nodes' timers are not heard of; trying again");
                }
            }
            sleep(RETRY_MIN).await;
        };
        // A time, not a pause: each word from another node would begin a pause anew, and with a busy app it would never end.
        let mut due = Instant::now() + RELOAD;
        loop {
            tokio::select! {
                Some(payload) = told.next() => {
                    if let Ok((app, changed)) = serde_json::from_slice::<(Arc<str>, Vec<Changed>)>(&payload) {
                        self.of(&app).take_in(&changed);
                    }
                    continue;
                }
                changed = changes.changed() => if changed.is_err() { return },
                () = sleep_until(due) => {}
            }
            due = match self.reload().await {
                Ok(()) => Instant::now() + RELOAD,
                Err(error) => {
                    tracing::warn!(%error, "timers cannot be read now");
                    Instant::now() + RETRY_MIN
                }
            };
        }
    }
}

/// Fires timers for as long as the node runs: each app's one after another.
pub(crate) async fn run(handle: Handle, mut began: Began) {
    while let Some(app) = began.recv().await {
        tokio::spawn(run_app(handle.clone(), app));
    }
}

async fn run_app(handle: Handle, app: Arc<str>) {
    let Some(timers) = handle.book().find(&app) else {
        return;
    };
    let store = Store::new(handle.shared_backplane(), &app);
    let is_ours = |name: &str| handle.nodes().is_chosen(&format!("{app}/{name}"));
    while let Some(due) = timers.next(&store, is_ours).await {
        if !fire(&handle, &app, &timers, &due).await {
            return;
        }
        timers.done(&store, &due).await;
    }
}

/// Runs a timer's handler, until that could be done. False: the node is ending.
async fn fire(handle: &Handle, app: &Arc<str>, timers: &Timers, due: &Due) -> bool {
    let mut retry = RETRY_MIN;
    loop {
        match handle.fire(app, due.clone()).await {
            None => return false,
            // It never ran, or nothing of it happened for a reason of ours: at least once means trying again.
            Some(Err(Failure::Unavailable(reason))) => {
                tracing::debug!(%app, timer = %due.name, reason, "a timer waits");
                sleep(retry).await;
            }
            Some(Ok(()) | Err(_)) => return true,
        }
        // Cancelled meanwhile, or deleted with its app.
        if !timers.has(&due.name) {
            return true;
        }
        retry = (retry * 2).min(RETRY_MAX);
    }
}
