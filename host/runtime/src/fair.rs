//! Who runs next on a full core, on how many cores long calls run, and whose instances fill a full pool.
mod lanes;
mod slots;
mod turns;

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use router::Limit;

use crate::quota::Quota;
use lanes::Lane;
pub use lanes::Lanes;
pub(crate) use slots::{Slot, Slots};
use turns::Turns;

/// One core, shared by the workers of all apps on it. Cheap to clone; stays on its thread.
#[derive(Clone)]
pub struct Fair {
    core: u64,
    turns: Arc<Turns>,
    lanes: Lanes,
    slots: Rc<Slots>,
    /// By the quota's id: versions of one app sit together.
    seats: Rc<RefCell<HashMap<u64, Weak<Seat>>>>,
}

/// One app's place on one core.
pub(crate) struct Seat {
    core: u64,
    turns: Arc<Turns>,
    lanes: Lanes,
    quota: Arc<Quota>,
    /// Nanoseconds of the core that the app has had, in the turns' reckoning.
    used: AtomicU64,
    /// Of these, what the quota has not been told yet.
    untold: AtomicU64,
}

/// The lane that a call holds, once it is long.
#[derive(Default)]
pub(crate) struct Hold {
    lane: Mutex<Option<Lane>>,
    /// Whether there is one: spares short calls the lock.
    held: AtomicBool,
}

/// The quota is told of time used in pieces of this: cores do not fight over it at every call.
const TELL_NS: u64 = 200_000;

impl Fair {
    /// `instances_max`: how many instances may live on this core at once, of all apps. `lanes`: the node's.
    pub fn new(instances_max: usize, lanes: &Lanes) -> Self {
        static CORES: AtomicU64 = AtomicU64::new(0);
        Self {
            core: CORES.fetch_add(1, Relaxed),
            turns: Arc::default(),
            lanes: lanes.clone(),
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
            core: self.core,
            turns: Arc::clone(&self.turns),
            lanes: self.lanes.clone(),
            quota: Arc::clone(quota),
            used: AtomicU64::new(0),
            untold: AtomicU64::new(0),
        });
        seats.insert(quota.id(), Arc::downgrade(&seat));
        seat
    }

    /// How many slices long calls have run here.
    #[cfg(test)]
    pub(crate) fn slices(&self) -> u64 {
        self.turns.slices()
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
            let before = self.turns.slices();
            self.turns.wait(self, false).await;
            self.quota.waited(self.turns.slices() - before);
            // Others of the app may have used up what there was meanwhile: a thousand calls do not go where one may.
            if !self.is_starved() {
                return;
            }
        }
    }

    /// A call has had its slice of the core: others first. It is long from now on, and waits for a lane if it has none,
    /// at an allowance of `ms_per_second`.
    pub(crate) async fn after_slice(self: Arc<Self>, hold: &Hold, ms_per_second: u32) {
        loop {
            if self.is_starved() {
                hold.release();
                self.wait_for_cpu().await;
            }
            if hold.is_over(&self) {
                hold.release();
            }
            if !hold.is_held() {
                let at_once_max = ms_per_second.div_ceil(1_000).max(1) as usize;
                hold.keep(self.lanes.enter(&self, at_once_max).await);
            }
            self.turns.wait(&self, true).await;
            if !self.is_starved() {
                return;
            }
        }
    }

    /// A call held the core for `nanos`, at an allowance of `ms_per_second` on the node.
    pub(crate) fn spend(&self, nanos: u64, hold: &Hold, ms_per_second: u32) {
        self.turns.spent(self, nanos);
        if hold.spend(nanos) {
            self.quota.had_in_lanes().fetch_add(nanos, Relaxed);
        }
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

impl Hold {
    /// The call has ended, or waits for something else than the processor.
    pub(crate) fn release(&self) {
        if self.is_held() {
            self.held.store(false, Relaxed);
            let lane = self.lane.lock().take();
            drop(lane);
        }
    }

    fn keep(&self, lane: Lane) {
        *self.lane.lock() = Some(lane);
        self.held.store(true, Relaxed);
    }

    /// Whether the time was run in a lane.
    fn spend(&self, nanos: u64) -> bool {
        if !self.is_held() {
            return false;
        }
        if let Some(lane) = &mut *self.lane.lock() {
            lane.spend(nanos);
        }
        true
    }

    fn is_held(&self) -> bool {
        self.held.load(Relaxed)
    }

    fn is_over(&self, seat: &Seat) -> bool {
        self.is_held() && self.lane.lock().as_ref().is_some_and(|lane| lane.is_over(seat))
    }
}

#[cfg(test)]
mod tests;
