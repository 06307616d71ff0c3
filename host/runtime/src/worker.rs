use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use router::{Call, Effect, Failure};
use tokio::sync::{Mutex, Semaphore};

use crate::{Component, Limits, host::CommitError, host::Host, instance::Instance};

/// Runs one app's calls on one core: a pool of instances that shares nothing with other apps or cores.
///
/// A call is a transaction. Its effects are the answer, after what it stored has been stored; if it fails there are
/// none. Dropping the future of a call ends it, and its instance with it.
pub struct Worker {
    component: RefCell<Component>,
    /// Counts [`Worker::replace`]: instances of an older version are dropped when their call ends.
    version: Cell<u64>,
    host: Arc<dyn Host>,
    limits: Arc<Limits>,
    /// Idle instances, the most recently used last: the others grow old and are reaped.
    idle: RefCell<Vec<Live>>,
    /// One permit for each call that may run; waiters are served in order.
    permits: Semaphore,
    /// Held by a call that lost a race for a key, while it runs again: losers do not race each other.
    again: Mutex<()>,
    counters: Rc<Counters>,
}

/// What a worker has done, for metrics. All but the first two only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Instances alive, running or idle.
    pub instances: usize,
    /// Instances alive and idle. More than none: the app is hot.
    pub idle: usize,
    pub calls: u64,
    /// Calls that found an idle instance.
    pub wakes_hot: u64,
    /// Calls for which an instance was made from compiled code.
    pub wakes_warm: u64,
    /// Calls that ended in a trap.
    pub traps: u64,
    /// Calls that ended at a limit.
    pub limits: u64,
    /// Calls run again because another had written a key that they read and wrote.
    pub conflicts: u64,
}

/// How often a call is run before a conflict fails it.
const TRIES_MAX: u32 = 5;

impl Worker {
    pub fn new(component: Component, host: Arc<dyn Host>, limits: Limits) -> Self {
        Self {
            component: RefCell::new(component),
            version: Cell::new(0),
            host,
            permits: Semaphore::new(limits.instances.clamp(1, Semaphore::MAX_PERMITS)),
            limits: Arc::new(limits),
            idle: RefCell::default(),
            again: Mutex::new(()),
            counters: Rc::default(),
        }
    }

    /// Runs one call to its end. Waits while as many run as the app may have instances.
    pub async fn call(&self, mut call: Call) -> Result<Vec<Effect>, Failure> {
        let permit = self.permits.acquire().await;
        assert!(permit.is_ok(), "nobody closes a worker's semaphore");
        bump(&self.counters.calls);
        let mut again = None;
        for _ in 0..TRIES_MAX {
            match self.run(&mut call).await {
                Ok(effects) => return Ok(effects),
                Err(Ended::Failed(failure)) => {
                    self.count(&failure);
                    return Err(failure);
                }
                Err(Ended::Conflict) => {
                    bump(&self.counters.conflicts);
                    if again.is_none() {
                        again = Some(self.again.lock().await);
                    }
                }
            }
        }
        let text = format!("{}, {TRIES_MAX} times in a row", CommitError::Conflict);
        Err(Failure::Unavailable(text))
    }

    /// Takes a new version into use: the next call runs it. Calls in flight end on the old one.
    pub fn replace(&self, component: Component) {
        self.version.set(self.version.get() + 1);
        self.component.replace(component);
        self.idle.take();
    }

    /// The version in use.
    pub fn component(&self) -> Component {
        self.component.borrow().clone()
    }

    /// Drops instances that have been idle since an earlier `reap` at least `idle_ms` ago. Call it a few times in
    /// that time; answers whether any instance is left, so whether to call again.
    pub fn reap(&self, now: Instant) -> bool {
        let limit = Duration::from_millis(self.limits.idle_ms.into());
        let mut idle = self.idle.borrow_mut();
        idle.retain_mut(|live| {
            let since = *live.instance.idle_since.get_or_insert(now);
            now.saturating_duration_since(since) < limit
        });
        !idle.is_empty()
    }

    pub fn stats(&self) -> Stats {
        let counters = &self.counters;
        Stats {
            instances: counters.instances.get(),
            idle: self.idle.borrow().len(),
            calls: counters.calls.get(),
            wakes_hot: counters.wakes_hot.get(),
            wakes_warm: counters.wakes_warm.get(),
            traps: counters.traps.get(),
            limits: counters.limits.get(),
            conflicts: counters.conflicts.get(),
        }
    }

    /// Runs a call once.
    async fn run(&self, call: &mut Call) -> Result<Vec<Effect>, Ended> {
        let mut live = self.instance().await?;
        let ended = live.instance.run(call).await;
        let spent = ended.as_ref().is_err_and(|failed| failed.spent);
        if !spent {
            self.give_back(live);
        }
        let (effects, commit) = ended.map_err(|failed| Ended::Failed(failed.failure))?;
        if commit.kv.is_empty() && commit.timers.is_empty() {
            return Ok(effects);
        }
        match self.host.commit(commit).await {
            Ok(()) => Ok(effects),
            Err(CommitError::Conflict) => Err(Ended::Conflict),
            Err(CommitError::Failed(text)) => Err(Ended::Failed(Failure::Unavailable(text))),
        }
    }

    async fn instance(&self) -> Result<Live, Ended> {
        let idle = self.idle.borrow_mut().pop();
        if let Some(live) = idle {
            bump(&self.counters.wakes_hot);
            return Ok(live);
        }
        bump(&self.counters.wakes_warm);
        let version = self.version.get();
        let component = self.component();
        let instance = Instance::start(&component, Arc::clone(&self.host), &self.limits).await;
        let instance = instance.map_err(Ended::Failed)?;
        self.counters.instances.set(self.counters.instances.get() + 1);
        Ok(Live {
            instance,
            version,
            counters: Rc::clone(&self.counters),
        })
    }

    fn give_back(&self, live: Live) {
        let fresh = live.instance.calls < self.limits.calls_per_instance;
        if fresh && live.version == self.version.get() {
            self.idle.borrow_mut().push(live);
        }
    }

    fn count(&self, failure: &Failure) {
        match failure {
            Failure::Trapped(_) => bump(&self.counters.traps),
            Failure::Limit(_) => bump(&self.counters.limits),
            Failure::Refused(_) | Failure::Returned(_) | Failure::Unavailable(_) => {}
        }
    }
}

/// Why a call has to be run again, or failed.
enum Ended {
    Conflict,
    Failed(Failure),
}

/// An instance that is counted.
struct Live {
    instance: Instance,
    /// Of the worker's component.
    version: u64,
    counters: Rc<Counters>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.counters.instances.set(self.counters.instances.get() - 1);
    }
}

#[derive(Default)]
struct Counters {
    instances: Cell<usize>,
    calls: Cell<u64>,
    wakes_hot: Cell<u64>,
    wakes_warm: Cell<u64>,
    traps: Cell<u64>,
    limits: Cell<u64>,
    conflicts: Cell<u64>,
}

fn bump(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}
