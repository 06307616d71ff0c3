use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep};

use crate::{clock::Clock, fair::Seat};

/// Tells how much of a call was running rather than waiting: the engine's tick when the executor last resumed it.
///
/// An epoch deadline alone cannot: it passes while a guest waits for the host, too.
pub(crate) struct Pace {
    clock: Arc<Clock>,
    seat: Arc<Seat>,
    cpu_ms_per_second: u32,
    /// Written when a call is polled.
    resumed_at: AtomicU64,
}

impl Pace {
    pub(crate) fn new(clock: Arc<Clock>, seat: Arc<Seat>, cpu_ms_per_second: u32) -> Self {
        Self {
            clock,
            seat,
            cpu_ms_per_second,
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

    /// The call gave its thread back after `time`.
    fn pause(&self, time: Duration) {
        self.seat.spend(time, self.cpu_ms_per_second);
    }
}

/// Runs a call; `None` if it took longer than `wall`. The timer is made only if the call has to wait, which most
/// never do.
pub(crate) async fn within<F: Future>(pace: &Pace, wall: Duration, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        pace.resume();
        // By the clock, since most calls end before the engine ticks: a flood of them counts as well.
        let resumed = Instant::now();
        let polled = work.as_mut().poll(cx);
        pace.pause(resumed.elapsed());
        or_late(polled, &mut timer, wall, cx)
    })
    .await
}

/// Waits for a call's turn or place; `None` if that took longer than `wall`.
pub(crate) async fn waiting<F: Future>(wall: Duration, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut timer = None;
    poll_fn(|cx| or_late(work.as_mut().poll(cx), &mut timer, wall, cx)).await
}

fn or_late<T>(
    polled: Poll<T>,
    timer: &mut Option<Pin<Box<Sleep>>>,
    wall: Duration,
    cx: &mut Context<'_>,
) -> Poll<Option<T>> {
    if let Poll::Ready(output) = polled {
        return Poll::Ready(Some(output));
    }
    let timer = timer.get_or_insert_with(|| Box::pin(sleep(wall)));
    timer.as_mut().poll(cx).map(|()| None)
}
