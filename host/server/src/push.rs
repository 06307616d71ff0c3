//! A backend's push: one call of `handle-push`, on the node that was asked, its effects carried out as a timer's are.
//!
//! With an idempotency key it runs once within the app's window, on whatever node it is asked for again: a mark in the app's
//! bucket says that it runs or has run. What it emits goes to the log under the same key, so that even a run that died in the
//! midst and is taken up again later emits nothing twice; what it wrote to kv before may then be written again.
pub(crate) mod mark;

use std::{
    rc::Rc,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use router::{Call, CallKind, Failure, Trace};
use session::{AppEntry, Apps, Hub, spawn_local};
use tokio::sync::oneshot;

use self::mark::{Claim, Marks};
use crate::{Handle, apps::Tenant, core::Command, logs::now_ms};

/// One push, on its way to a core.
pub(crate) struct Push {
    app: String,
    kind: CallKind,
    /// Of its entries in the log.
    key: Option<String>,
    trace: Option<Trace>,
    done: oneshot::Sender<Result<(), Failure>>,
}

/// What a backend asks for.
pub(crate) struct Asked {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) trace: Option<Trace>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Done,
    /// An earlier one with the same key has run: nothing happened now.
    Duplicate,
    /// An earlier one with the same key runs now: how it ends is not known yet.
    Running,
}

/// How long keys are remembered by an app without `[recovery]`.
const WINDOW_DEFAULT: Duration = Duration::from_mins(2);

/// Of all pushes with a key that this node was asked for, one in so many tidies up.
const SWEEP_EVERY: usize = 64;
static PUSHES: AtomicUsize = AtomicUsize::new(0);

/// Runs a push to its end. On an error nothing of it has happened.
pub(crate) async fn push(handle: &Handle, tenant: &Tenant, asked: Asked) -> Result<Pushed, Failure> {
    let Some(key) = &asked.idempotency_key else {
        return run(handle, tenant, asked, None).await.map(|()| Pushed::Done);
    };
    let recovery = tenant.version().manifest.recovery.clone();
    let window = recovery.map_or(WINDOW_DEFAULT, |recovery| recovery.window);
    let unavailable = |error: backplane::Error| Failure::Unavailable(error.to_string());
    let marks = Marks::new(&tenant.store, key, window);
    if PUSHES.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP_EVERY) {
        marks.sweep(now_ms()).await;
    }
    let mark = match marks.claim().await.map_err(unavailable)? {
        Claim::Ours(mark) => mark,
        Claim::Running => return Ok(Pushed::Running),
        Claim::Done => return Ok(Pushed::Duplicate),
    };
    let key = marks.name();
    let outcome = run(handle, tenant, asked, Some(key)).await;
    // Whoever asked may have left meanwhile: nothing is lost with the mark but that a second one waits.
    let marked = match outcome {
        Ok(()) => marks.finish(mark).await,
        Err(_) => marks.give_up(mark).await,
    };
    if let Err(error) = marked {
        tracing::warn!(app = %tenant.name, %error, "a push is not marked as it ended; it is taken for running a while");
    }
    outcome.map(|()| Pushed::Done)
}

async fn run(handle: &Handle, tenant: &Tenant, asked: Asked, key: Option<String>) -> Result<(), Failure> {
    // Any core will do: one after the other.
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let cores = &handle.0.cores;
    let ending = || Failure::Unavailable("the node is ending".to_owned());
    let index = NEXT.fetch_add(1, Ordering::Relaxed) % cores.len().max(1);
    let core = cores.get(index).ok_or_else(ending)?;
    let (done, outcome) = oneshot::channel();
    let push = Push {
        app: tenant.name.to_string(),
        kind: CallKind::Push {
            topic: asked.topic,
            payload: asked.payload,
        },
        key,
        trace: asked.trace,
        done,
    };
    core.send(Command::Push(push)).map_err(|_| ending())?;
    outcome.await.map_err(|_| ending())?
}

impl Push {
    /// Begins, on a core's own thread.
    pub(crate) fn start(self, apps: &dyn Apps, hub: &Hub) {
        let (entry, hub) = (apps.find(&self.app), hub.clone());
        spawn_local(async move {
            let outcome = match entry {
                Some(entry) => fire(&hub, &entry, self.kind, self.key, self.trace).await,
                None => Err(Failure::Unavailable("the app is gone".to_owned())),
            };
            // Whoever asked may have left: it has run all the same.
            _ = self.done.send(outcome);
        });
    }
}

async fn fire(
    hub: &Hub,
    entry: &Rc<AppEntry>,
    kind: CallKind,
    key: Option<String>,
    trace: Option<Trace>,
) -> Result<(), Failure> {
    // Its emits reach this core's sockets by the log, like any other.
    hub.open_line(entry)
        .await
        .map_err(|error| Failure::Unavailable(error.to_string()))?;
    let call = Call {
        socket: None,
        kind,
        trace,
    };
    let effects = entry.code.call(call).await?;
    hub.commit_detached(&entry.name, effects, key).await
}
