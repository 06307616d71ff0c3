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

/// Tells how much of a call was running rather than waiting: the engine's tick when the executor last resumed it.
///
/// An epoch deadline alone cannot: it passes while a guest waits for the host, too.
pub(crate) struct Pace {
    /// Written by the engine's ticker, once a millisecond.
    ticks: Arc<AtomicU64>,
    /// Written when a call is polled.
    resumed_at: AtomicU64,
}

impl Pace {
    pub(crate) fn new(ticks: Arc<AtomicU64>) -> Self {
        Self {
            ticks,
            resumed_at: AtomicU64::new(0),
        }
    }

    /// Whether a tick passed since the call was resumed.
    pub(crate) fn ticked(&self) -> bool {
        self.ticks.load(Relaxed) != self.resumed_at.load(Relaxed)
    }

    fn resume(&self) {
        self.resumed_at.store(self.ticks.load(Relaxed), Relaxed);
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
