use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::LocalBoxFuture;
use router::{Call, CallKind, Effect, Failure, Hits, Limit};
use tokio::sync::{Mutex, Semaphore};

use crate::{
    Component, Fair, Lanes, Limits, Quota,
    fair::{Seat, Slot, Slots},
    host::{CommitError, Host},
    instance::{Failed, Instance, NotStarted, late, wall},
    pace::waiting,
};

/// Runs one app's calls on one core: a pool of instances that shares nothing with other apps or cores.
///
/// A call is a transaction. Its effects are the answer, after what it stored has been stored; if it fails there are
/// none. Dropping the future of a call ends it, and its instance with it.
pub struct Worker {
    source: Rc<dyn Source>,
    host: Arc<dyn Host>,
    limits: Arc<Limits>,
    /// Idle instances, the most recently used last: the others grow old and are reaped.
    idle: Rc<RefCell<VecDeque<Box<Live>>>>,
    seat: Arc<Seat>,
    slots: Rc<Slots>,
    /// One permit for each call that may run; waiters are served in order.
    permits: Semaphore,
    /// Held by a call that lost a race for a key, while it runs again: losers do not race each other.
    again: Mutex<()>,
    counters: Rc<Counters>,
}

/// Where a worker has its app's code from, whenever it makes an instance: between two calls the code may have left memory.
pub trait Source: 'static {
    fn component(&self) -> LocalBoxFuture<'_, Result<(Component, Tier), Failure>>;
}

/// Where code was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Compiled, in memory.
    Warm,
    /// Compiled, on disk.
    Cold,
    /// It had to be fetched and compiled.
    Remote,
}

/// Code that stays in memory.
impl Source for Component {
    fn component(&self) -> LocalBoxFuture<'_, Result<(Component, Tier), Failure>> {
        Box::pin(async { Ok((self.clone(), Tier::Warm)) })
    }
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
    /// Calls for which an instance was made, from compiled code in memory.
    pub wakes_warm: u64,
    /// The same, from compiled code on disk.
    pub wakes_cold: u64,
    /// The same, from code that was fetched and compiled first.
    pub wakes_remote: u64,
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
    /// A worker that has a core to itself.
    pub fn new(source: Rc<dyn Source>, host: Arc<dyn Host>, limits: Limits) -> Self {
        let quota = Arc::new(Quota::new(Arc::new(Hits::default())));
        Self::sharing(
            source,
            host,
            limits,
            &Fair::new(usize::MAX, &Lanes::new(1)),
            &quota,
        )
    }

    /// A worker that shares its core with others: `fair` is the core's, `quota` the app's on this node.
    pub fn sharing(
        source: Rc<dyn Source>,
        host: Arc<dyn Host>,
        limits: Limits,
        fair: &Fair,
        quota: &Arc<Quota>,
    ) -> Self {
        let idle = Rc::default();
        fair.slots().register(quota.id(), &idle);
        Self {
            source,
            host,
            permits: Semaphore::new(limits.instances.clamp(1, Semaphore::MAX_PERMITS)),
            limits: Arc::new(limits),
            idle,
            seat: fair.seat(quota),
            slots: Rc::clone(fair.slots()),
            again: Mutex::new(()),
            counters: Rc::default(),
        }
    }

    /// Runs one call to its end; of `call` nothing is left then. Waits while as many run as the app may have instances.
    pub async fn call(&self, call: &mut Call) -> Result<Vec<Effect>, Failure> {
        // A socket without a state has none to migrate.
        if matches!(&call.kind, CallKind::Migrate { state, .. } if state.is_empty()) {
            return Ok(Vec::new());
        }
        if self.permits.available_permits() == 0 {
            self.hit(Limit::Instances);
        }
        let permit = self.permits.acquire().await;
        assert!(permit.is_ok(), "nobody closes a worker's semaphore");
        bump(&self.counters.calls);
        let mut again = None;
        for _ in 0..TRIES_MAX {
            // Boxed, and small: allocators are slow beyond a kilobyte, and what is made for every call is copied once more.
            match Box::pin(self.run(call)).await {
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
            wakes_cold: counters.wakes_cold.get(),
            wakes_remote: counters.wakes_remote.get(),
            traps: counters.traps.get(),
            limits: counters.limits.get(),
            conflicts: counters.conflicts.get(),
        }
    }

    /// Runs a call once.
    async fn run(&self, call: &mut Call) -> Result<Vec<Effect>, Ended> {
        let Some(()) = waiting(wall(&self.limits), self.seat.enter()).await else {
            return Err(Ended::Failed(late(&self.limits, &self.seat)));
        };
        let idle = self.idle.borrow_mut().pop_back();
        let mut live = match idle {
            Some(live) => {
                bump(&self.counters.wakes_hot);
                live
            }
            None => Box::pin(self.start()).await?,
        };
        let ended = live.instance.run(call).await;
        let (effects, commit) = self.keep(live, ended)?;
        if commit.kv.is_empty() && commit.timers.is_empty() {
            return Ok(effects);
        }
        match self.host.commit(commit).await {
            Ok(()) => Ok(effects),
            Err(CommitError::Conflict) => Err(Ended::Conflict),
            Err(CommitError::Failed(text)) => Err(Ended::Failed(Failure::Unavailable(text))),
            Err(CommitError::Limit(text)) => Err(Ended::Failed(Failure::Limit(text))),
        }
    }

    /// A new instance.
    async fn start(&self) -> Result<Box<Live>, Ended> {
        let (component, tier) = self.source.component().await.map_err(Ended::Failed)?;
        bump(match tier {
            Tier::Warm => &self.counters.wakes_warm,
            Tier::Cold => &self.counters.wakes_cold,
            Tier::Remote => &self.counters.wakes_remote,
        });
        let slot = self.slot().await?;
        let instance = loop {
            let host = Arc::clone(&self.host);
            match Instance::start(&component, host, &self.limits, &self.seat).await {
                Ok(instance) => break instance,
                // Slots are counted by instances, the engine's memory by parts: idle instances make room.
                Err(NotStarted::PoolFull(_)) if self.slots.evict() => {}
                Err(NotStarted::PoolFull(failure) | NotStarted::Failed(failure)) => {
                    return Err(Ended::Failed(failure));
                }
            }
        };
        self.counters.instances.set(self.counters.instances.get() + 1);
        Ok(Box::new(Live {
            instance,
            counters: Rc::clone(&self.counters),
            _slot: slot,
        }))
    }

    /// Leave to have one more instance on this core.
    async fn slot(&self) -> Result<Slot, Ended> {
        let given = match self.slots.take(self.seat.quota().id()) {
            Ok(slot) => return Ok(slot),
            Err(given) => given,
        };
        self.hit(Limit::Instances);
        if let Some(Ok(slot)) = waiting(wall(&self.limits), given).await {
            return Ok(slot);
        }
        let text = "this node runs as many instances as it may; try again";
        Err(Ended::Failed(Failure::Unavailable(text.to_owned())))
    }

    /// How often the app's workers on this node have hit which limit.
    pub fn hits(&self) -> &Hits {
        self.seat.quota().hits()
    }

    fn hit(&self, limit: Limit) {
        self.seat.quota().hits().bump(limit);
    }

    /// Keeps an instance that may run another call.
    fn keep<T>(&self, live: Box<Live>, ended: Result<T, Failed>) -> Result<T, Ended> {
        if !ended.as_ref().is_err_and(|failed| failed.spent) {
            self.give_back(live);
        }
        ended.map_err(|failed| Ended::Failed(failed.failure))
    }

    fn give_back(&self, live: Box<Live>) {
        if live.instance.calls < self.limits.calls_per_instance && !self.slots.is_wanted() {
            self.idle.borrow_mut().push_back(live);
        }
    }

    fn count(&self, failure: &Failure) {
        match failure {
            Failure::Trapped(_) => bump(&self.counters.traps),
            Failure::Limit(text) => {
                bump(&self.counters.limits);
                self.seat.quota().hits().bump_named(text);
            }
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
pub(crate) struct Live {
    instance: Instance,
    counters: Rc<Counters>,
    /// Given back after the instance is gone.
    _slot: Slot,
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
    wakes_cold: Cell<u64>,
    wakes_remote: Cell<u64>,
    traps: Cell<u64>,
    limits: Cell<u64>,
    conflicts: Cell<u64>,
}

fn bump(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}
