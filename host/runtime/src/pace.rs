use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{Sleep, sleep};

use crate::clock::Clock;

/// Tells how much of a call was running rather than waiting: the engine's tick when the executor last resumed it.
///
/// An epoch deadline alone cannot: it passes while a guest waits for the host, too.
pub(crate) struct Pace {
    clock: Arc<Clock>,
    /// Written when a call is polled.
    resumed_at: AtomicU64,
}

impl Pace {
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        Self {
            clock,
            resumed_at: AtomicU64::new(0),
        }
    }

    /// Whether a tick passed since the call was resumed.
    pub(crate) fn ticked(&self) -> bool {
        self.clock.now() != self.resumed_at.load(Relaxed)
    }

    fn resume(&self) {
        self.clock.wake();
        self.resumed_at.store(self.clock.now(), Relaxed);
    }
}

/// Runs a call; `None` if it took longer than `wall`. The timer is made only if the call has to wait, which most
/// never do.
pub(crate) async fn within<F: Future>(pace: &Pace, wall: Duration, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        pace.resume();
        if let std::task::Poll::Ready(output) = work.as_mut().poll(cx) {
            return std::task::Poll::Ready(Some(output));
        }
        let timer = timer.get_or_insert_with(|| Box::pin(sleep(wall)));
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}
