use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Seat;

/// Takes turns on one core. As long as calls are short and few nobody waits. Once they have used [`ROUND_NS`] since
/// the thread last looked at its sockets, and whenever one of them runs for longer than a slice, calls queue by app;
/// the app that has had least of the core goes first. Between two rounds the thread's I/O and everything else that is
/// ready has its go, so an app with a thousand spinning calls costs another's short call about one slice.
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
    /// How much the app that was let go last had had: newcomers begin there.
    served: u64,
    /// One for each app that waits; few, so that a scan finds the next.
    queues: Vec<Queue>,
    /// A task begins rounds: there is one while anyone waits.
    pumping: bool,
}

struct Queue {
    seat: Arc<Seat>,
    calls: VecDeque<oneshot::Sender<()>>,
}

/// What calls may use between two looks at the sockets: one slice.
const ROUND_NS: u64 = 1_000_000;

/// How far an app that was quiet may be ahead of those that wait: its next calls go first.
const CREDIT_NS: u64 = 5_000_000;

impl Turns {
    /// Whether a call that begins need not wait.
    pub(super) fn goes_at_once(&self, seat: &Arc<Seat>) -> bool {
        let inner = self.0.lock();
        let used = inner.arrive(seat);
        inner.spent < ROUND_NS
            && inner
                .queues
                .iter()
                .all(|queue| used < queue.seat.used.load(Relaxed))
    }

    /// Waits for a turn; at least until the next round.
    pub(super) async fn wait(self: &Arc<Self>, seat: &Arc<Seat>) {
        let (go, gone) = oneshot::channel();
        let pumps = {
            let mut inner = self.0.lock();
            inner.arrive(seat);
            inner.queue(seat).push_back(go);
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
        seat.used.fetch_add(nanos, Relaxed);
        let mut inner = self.0.lock();
        inner.spent = inner.spent.saturating_add(nanos);
        if inner.spent < ROUND_NS && inner.released == 0 {
            inner.release();
        }
    }

    /// Begins a round whenever the thread has looked at its sockets, while anyone waits.
    async fn pump(self: Arc<Self>) {
        loop {
            // Comes back when the I/O driver has been polled and what was ready before has had its go.
            tokio::task::yield_now().await;
            let mut inner = self.0.lock();
            inner.spent = 0;
            inner.released = 0;
            if inner.queues.is_empty() {
                inner.pumping = false;
                return;
            }
            inner.release();
        }
    }
}

impl Inner {
    /// An app that was quiet has not saved up its share of that time, but for a little.
    fn arrive(&self, seat: &Seat) -> u64 {
        let floor = self.served.saturating_sub(CREDIT_NS);
        seat.used.fetch_max(floor, Relaxed).max(floor)
    }

    fn queue(&mut self, seat: &Arc<Seat>) -> &mut VecDeque<oneshot::Sender<()>> {
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

    /// Lets the next call go: the oldest of the app that has had least.
    fn release(&mut self) {
        loop {
            let next = self.queues.iter().enumerate();
            let next = next.min_by_key(|(_, queue)| queue.seat.used.load(Relaxed));
            let Some(index) = next.map(|(index, _)| index) else {
                return;
            };
            let Some(queue) = self.queues.get_mut(index) else {
                return;
            };
            self.served = self.served.max(queue.seat.used.load(Relaxed));
            let call = queue.calls.pop_front();
            if queue.calls.is_empty() {
                self.queues.swap_remove(index);
            }
            // One that was dropped meanwhile had its turn.
            if call.is_some_and(|call| call.send(()).is_ok()) {
                self.released += 1;
                return;
            }
        }
    }
}
