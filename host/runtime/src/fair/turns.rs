use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};

use super::Seat;

/// Takes turns on one core. As long as calls are short and few nobody waits, and of an app that has been alone on the
/// core for a while short calls never wait: there is nobody to be fair to, and to queue costs as much as half a call.
/// Else, once calls have used [`ROUND_NS`] since the thread last looked at its sockets, and whenever one of them has run
/// for a slice, calls queue by app; the app that has had least of the core goes first.
///
/// Between two rounds the thread's I/O and everything else that is ready has its go. A call that is long goes on only
/// after a look at the sockets that brought no other call to begin: so from the time when a short call's event can be
/// read to its answer one slice of others is run at most, however many calls spin.
///
/// `Send` because a guest's stack may be suspended in it; used by one thread.
#[derive(Default)]
pub(super) struct Turns(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// Nanoseconds that calls have used in this round.
    spent: u64,
    /// Calls let go in this round that have not begun.
    released: usize,
    /// Whether a call began, or went on, since the sockets were last looked at.
    moved: bool,
    /// Looks since a long call went on.
    looks: u32,
    /// Whether one was run since the sockets were last looked at.
    sliced: bool,
    /// Slices that long calls have run.
    slices: u64,
    /// How much the app that was let go last had had: newcomers begin there.
    served: u64,
    /// One for each app that waits; few, so that a scan finds the next.
    queues: Vec<Queue>,
    /// A task begins rounds: there is one while anyone waits.
    pumping: bool,
    /// Of the app that called last.
    last: Option<u64>,
    /// Until when the core counts as shared, since another app has called before that one.
    shared: Option<Instant>,
}

struct Queue {
    seat: Arc<Seat>,
    calls: VecDeque<Waiting>,
}

struct Waiting {
    go: oneshot::Sender<()>,
    is_long: bool,
}

/// What calls may use between two looks at the sockets: about a slice.
const ROUND_NS: u64 = 200_000;

/// What a call counts for at most, each time it is resumed.
const COUNTS_NS_MAX: u64 = 1_000_000;

/// How far an app that was quiet may be ahead of those that wait: its next call goes first.
const CREDIT_NS: u64 = 100_000;

/// An app that has not called for so long is not waited for: should it come back to a core that another one fills with
/// short calls, its first call waits until those that had been read before it are done, some milliseconds.
const ALONE_AFTER: Duration = Duration::from_secs(10);

/// Looks after which a long call goes on even where short ones never end.
const LOOKS_MAX: u32 = 8;

impl Turns {
    /// Whether a call that begins need not wait.
    pub(super) fn goes_at_once(&self, seat: &Arc<Seat>) -> bool {
        let mut inner = self.0.lock();
        let used = inner.arrive(seat);
        let alone = inner.is_alone(seat);
        let goes = (alone || inner.spent < ROUND_NS)
            && inner
                .queues
                .iter()
                .all(|queue| used < queue.seat.used.load(Relaxed));
        if goes {
            inner.moved = true;
            if inner.queues.is_empty() {
                // An app that comes new is not owed what this one has had while nobody else wanted it.
                inner.served = inner.served.max(used);
            }
        }
        goes
    }

    /// Waits for a turn; at least until the next round. `is_long`: for another slice.
    pub(super) async fn wait(self: &Arc<Self>, seat: &Arc<Seat>, is_long: bool) {
        let (go, gone) = oneshot::channel();
        let pumps = {
            let mut inner = self.0.lock();
            inner.arrive(seat);
            inner.queue(seat).push_back(Waiting { go, is_long });
            !std::mem::replace(&mut inner.pumping, true)
        };
        if pumps {
            tokio::spawn(Arc::clone(self).pump());
        }
        // The sender is dropped with the turns alone, when nothing runs any more.
        _ = gone.await;
        let mut inner = self.0.lock();
        inner.released = inner.released.saturating_sub(1);
    }

    /// A call held the core for so long.
    pub(super) fn spent(&self, seat: &Seat, nanos: u64) {
        // By the clock: the machine may have run something else meanwhile, and the app is not to pay for that for long.
        seat.used.fetch_add(nanos.min(COUNTS_NS_MAX), Relaxed);
        let mut inner = self.0.lock();
        inner.spent = inner.spent.saturating_add(nanos);
        if inner.spent < ROUND_NS && inner.released == 0 {
            inner.release(false);
        }
    }

    /// How many slices long calls have run here.
    pub(super) fn slices(&self) -> u64 {
        self.0.lock().slices
    }

    /// Begins a round whenever the thread has looked at its sockets, while anyone waits.
    async fn pump(self: Arc<Self>) {
        loop {
            // Comes back when the I/O driver has been polled and what was ready before has had its go.
            tokio::task::yield_now().await;
            if std::mem::take(&mut self.0.lock().sliced) {
                // Whoever waits for this processor goes now: the system's own slices are milliseconds.
                std::thread::yield_now();
                tokio::task::yield_now().await;
            }
            let mut inner = self.0.lock();
            inner.spent = 0;
            inner.released = 0;
            if inner.queues.is_empty() {
                inner.pumping = false;
                return;
            }
            let is_quiet = !std::mem::take(&mut inner.moved);
            inner.looks += 1;
            let long_may = is_quiet || inner.looks >= LOOKS_MAX;
            inner.release(long_may);
        }
    }
}

impl Inner {
    /// Whether no other app has called for a while. The clock is asked only where one has.
    fn is_alone(&mut self, seat: &Seat) -> bool {
        let app = seat.quota.id();
        if self.last.replace(app).is_some_and(|last| last != app) {
            self.shared = Some(Instant::now() + ALONE_AFTER);
        }
        if self.shared.is_some_and(|until| until <= Instant::now()) {
            self.shared = None;
        }
        self.shared.is_none()
    }

    /// An app that was quiet has not saved up its share of that time, but for a little.
    fn arrive(&self, seat: &Seat) -> u64 {
        let floor = self.served.saturating_sub(CREDIT_NS);
        seat.used.fetch_max(floor, Relaxed).max(floor)
    }

    fn queue(&mut self, seat: &Arc<Seat>) -> &mut VecDeque<Waiting> {
        let found = self
            .queues
            .iter()
            .position(|queue| Arc::ptr_eq(&queue.seat, seat));
        let index = found.unwrap_or_else(|| {
            self.queues.push(Queue {
                seat: Arc::clone(seat),
                calls: VecDeque::new(),
            });
            self.queues.len() - 1
        });
        match self.queues.get_mut(index) {
            Some(queue) => &mut queue.calls,
            None => unreachable!("found or pushed above"),
        }
    }

    /// Lets the next call go: the oldest of the app that has had least. If that is a long one, and it may not go on yet,
    /// none.
    fn release(&mut self, long_may: bool) {
        loop {
            let next = self.queues.iter().enumerate();
            let next = next.min_by_key(|(_, queue)| queue.seat.used.load(Relaxed));
            let Some(index) = next.map(|(index, _)| index) else {
                return;
            };
            let Some(queue) = self.queues.get_mut(index) else {
                return;
            };
            if !long_may && queue.calls.front().is_some_and(|call| call.is_long) {
                return;
            }
            self.served = self.served.max(queue.seat.used.load(Relaxed));
            let call = queue.calls.pop_front();
            if queue.calls.is_empty() {
                self.queues.swap_remove(index);
            }
            let Some(Waiting { go, is_long }) = call else {
                return;
            };
            // One that was dropped meanwhile had its turn.
            if go.send(()).is_ok() {
                self.released += 1;
                self.moved = true;
                if is_long {
                    self.looks = 0;
                    self.slices += 1;
                    self.sliced = true;
                }
                return;
            }
        }
    }
}
