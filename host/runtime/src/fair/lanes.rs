use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Seat;

/// On how many cores of a node calls that are long may run at once: on all but one, so that there is always one that
/// looks at its sockets, and a processor on which everything else of the machine gets its turn (an operating system
/// lets a thread that spins keep its processor for milliseconds, whoever wakes). Where there is but one, on that.
///
/// A call is long once it has run for a slice. Whichever app's long calls have had least goes first; a lane is handed
/// on after [`TURN_NS`], if anybody waits, sooner to who is further behind than that, and an app has as many at once as its CPU by the second fills. A core has
/// one lane at most. One a node; cheap to clone.
#[derive(Clone)]
pub struct Lanes(Arc<Node>);

struct Node {
    lanes_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    held: Vec<Held>,
    /// One for each app that waits; few, so that a scan finds the next.
    queues: Vec<Queue>,
    /// How much the app that was let go last had had: newcomers begin there.
    served: u64,
}

#[derive(Clone, Copy)]
struct Held {
    app: u64,
    core: u64,
}

struct Queue {
    app: u64,
    had: Arc<AtomicU64>,
    calls: VecDeque<Waiting>,
}

struct Waiting {
    core: u64,
    /// Of the app, with this one.
    at_once_max: usize,
    go: oneshot::Sender<Lane>,
}

/// Leave to run for longer than a slice; handed on when dropped.
pub(crate) struct Lane {
    node: Arc<Node>,
    held: Held,
    /// Nanoseconds that were run in it.
    used: u64,
}

/// A lane is handed on after this, if anybody waits: cores hear of each other by a system call.
const TURN_NS: u64 = 2_000_000;

/// How far an app that was quiet may be ahead of those that wait: far enough for the next slice to be its own.
const CREDIT_NS: u64 = 2 * TURN_NS;

impl Lanes {
    /// `cores`: how many threads run calls.
    pub fn new(cores: usize) -> Self {
        Self(Arc::new(Node {
            lanes_max: cores.saturating_sub(1).max(1),
            inner: Mutex::default(),
        }))
    }

    /// Waits for a lane on the seat's core; `at_once_max`: of the seat's app.
    pub(super) async fn enter(&self, seat: &Seat, at_once_max: usize) -> Lane {
        let given = {
            let (go, given) = oneshot::channel();
            let waiting = Waiting {
                core: seat.core,
                at_once_max,
                go,
            };
            self.0.inner.lock().wait(seat, waiting);
            given
        };
        self.0.hand_out();
        match given.await {
            Ok(lane) => lane,
            Err(_) => unreachable!("a call that waits is given a lane before its sender is dropped"),
        }
    }
}

impl Lane {
    /// A call ran in it for so long.
    pub(super) fn spend(&mut self, nanos: u64) {
        self.used = self.used.saturating_add(nanos);
    }

    /// Whether others are to go now.
    pub(super) fn is_over(&self, seat: &Seat) -> bool {
        let inner = self.node.inner.lock();
        let behind = seat.quota.had_in_lanes().load(Relaxed).saturating_sub(TURN_NS);
        let mut waiting = inner.queues.iter().map(|queue| queue.had.load(Relaxed));
        waiting.any(|had| self.used >= TURN_NS || had < behind)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let (node, mine) = (Arc::clone(&self.node), self.held);
        {
            let mut inner = node.inner.lock();
            let place = inner.held.iter().position(|held| held.core == mine.core);
            let place = place.unwrap_or_else(|| unreachable!("what is held is listed"));
            inner.held.swap_remove(place);
        }
        node.hand_out();
    }
}

impl Node {
    /// Gives out what there is. Not under the lock: a call that waits no more drops its lane, which takes the lock.
    fn hand_out(self: &Arc<Self>) {
        loop {
            let next = self.inner.lock().next(self.lanes_max);
            let Some((held, go)) = next else { return };
            let lane = Lane {
                node: Arc::clone(self),
                held,
                used: 0,
            };
            // Whoever gave up waiting gives it back.
            _ = go.send(lane);
        }
    }
}

impl Inner {
    fn wait(&mut self, seat: &Seat, waiting: Waiting) {
        let app = seat.quota.id();
        // An app that was quiet has not saved up its share of that time, but for a little.
        let had = seat.quota.had_in_lanes();
        had.fetch_max(self.served.saturating_sub(CREDIT_NS), Relaxed);
        if let Some(queue) = self.queues.iter_mut().find(|queue| queue.app == app) {
            queue.calls.push_back(waiting);
            return;
        }
        self.queues.push(Queue {
            app,
            had: Arc::clone(had),
            calls: VecDeque::from([waiting]),
        });
    }

    /// Takes the next call that may go off its queue: the oldest of the app that has had least, among those whose core
    /// is free.
    fn next(&mut self, lanes_max: usize) -> Option<(Held, oneshot::Sender<Lane>)> {
        if self.held.len() >= lanes_max {
            return None;
        }
        self.queues.retain_mut(|queue| {
            queue.calls.retain(|waiting| !waiting.go.is_closed());
            !queue.calls.is_empty()
        });
        let held = &self.held;
        let place = |queue: &Queue| {
            let running = held.iter().filter(|held| held.app == queue.app).count();
            queue.calls.iter().position(|waiting| {
                running < waiting.at_once_max && held.iter().all(|held| held.core != waiting.core)
            })
        };
        let open = self
            .queues
            .iter_mut()
            .filter_map(|queue| Some((place(queue)?, queue)));
        let (place, queue) = open.min_by_key(|(_, queue)| queue.had.load(Relaxed))?;
        let waiting = queue.calls.remove(place)?;
        let held = Held {
            app: queue.app,
            core: waiting.core,
        };
        self.served = self.served.max(queue.had.load(Relaxed));
        self.held.push(held);
        self.queues.retain(|queue| !queue.calls.is_empty());
        Some((held, waiting.go))
    }
}
