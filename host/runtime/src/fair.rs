//! Who runs next on a full core, and whose instances fill a full pool.
mod slots;
mod turns;

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use router::Limit;

use crate::quota::Quota;
pub(crate) use slots::{Slot, Slots};
use turns::Turns;

/// One core, shared by the workers of all apps on it. Cheap to clone; stays on its thread.
#[derive(Clone)]
pub struct Fair {
    turns: Arc<Turns>,
    slots: Rc<Slots>,
    /// By the quota's id: versions of one app sit together.
    seats: Rc<RefCell<HashMap<u64, Weak<Seat>>>>,
}

/// One app's place on one core.
pub(crate) struct Seat {
    turns: Arc<Turns>,
    quota: Arc<Quota>,
    /// Nanoseconds of the core that the app has had, in the turns' reckoning.
    used: AtomicU64,
    /// Of these, what the quota has not been told yet.
    untold: AtomicU64,
}

/// The quota is told of time used in pieces of this: cores do not fight over it at every call.
const TELL_NS: u64 = 200_000;

impl Fair {
    /// `instances_max`: how many instances may live on this core at once, of all apps.
    pub fn new(instances_max: usize) -> Self {
        Self {
            turns: Arc::default(),
            slots: Rc::new(Slots::new(instances_max)),
            seats: Rc::default(),
        }
    }

    pub(crate) fn seat(&self, quota: &Arc<Quota>) -> Arc<Seat> {
        let mut seats = self.seats.borrow_mut();
        if let Some(seat) = seats.get(&quota.id()).and_then(Weak::upgrade) {
            return seat;
        }
        seats.retain(|_, seat| seat.strong_count() > 0);
        let seat = Arc::new(Seat {
            turns: Arc::clone(&self.turns),
            quota: Arc::clone(quota),
            used: AtomicU64::new(0),
            untold: AtomicU64::new(0),
        });
        seats.insert(quota.id(), Arc::downgrade(&seat));
        seat
    }

    pub(crate) fn slots(&self) -> &Rc<Slots> {
        &self.slots
    }
}

impl Seat {
    pub(crate) fn quota(&self) -> &Arc<Quota> {
        &self.quota
    }

    /// Before a call begins: waits while the app has used up its share of processors, then, if the core is busy, for
    /// its turn.
    pub(crate) async fn enter(self: &Arc<Self>) {
        loop {
            self.wait_for_cpu().await;
            if self.turns.goes_at_once(self) {
                return;
            }
            self.turns.wait(self).await;
            // Others of the app may have used up what there was meanwhile: a thousand calls do not go where one may.
            if !self.is_starved() {
                return;
            }
        }
    }

    /// A call has had its slice of the core: others first.
    pub(crate) async fn after_slice(self: Arc<Self>) {
        loop {
            self.wait_for_cpu().await;
            self.turns.wait(&self).await;
            if !self.is_starved() {
                return;
            }
        }
    }

    /// A call held the core for so long, at an allowance of `ms_per_second` on the node.
    pub(crate) fn spend(&self, time: Duration, ms_per_second: u32) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.turns.spent(self, nanos);
        let untold = self.untold.fetch_add(nanos, Relaxed).saturating_add(nanos);
        if untold >= TELL_NS {
            self.untold.store(0, Relaxed);
            self.quota.spend_cpu(untold, ms_per_second);
        }
    }

    /// Whether the app has used more of the processors than it may for now.
    pub(crate) fn is_starved(&self) -> bool {
        !self.quota.cpu_wait().is_zero()
    }

    async fn wait_for_cpu(&self) {
        let mut wait = self.quota.cpu_wait();
        if wait.is_zero() {
            return;
        }
        self.quota.hits().bump(Limit::CpuMsPerSecond);
        while !wait.is_zero() {
            tokio::time::sleep(wait).await;
            wait = self.quota.cpu_wait();
        }
    }
}

#[cfg(test)]
mod tests;
