use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep};

use crate::{
    clock::Clock,
    fair::{Hold, Seat},
};

/// Tells how much of a call was running rather than waiting.
///
/// An epoch deadline alone cannot: it passes while a guest waits for the host, too.
pub(crate) struct Pace {
    clock: Arc<Clock>,
    seat: Arc<Seat>,
    cpu_ms_per_second: u32,
    made: Instant,
    /// When the executor last resumed the call, in nanoseconds since `made`.
    resumed: AtomicU64,
    /// Whether the call waits for its next slice, not for the host.
    between: AtomicBool,
    hold: Hold,
}

/// A call that has run for this long since it was resumed has had its slice when the engine ticks next.
const SLICE_NS: u64 = 100_000;

/// A slice counts for at most this: it is measured by the clock, and the machine may have run something else.
const SLICE_COUNTS_NS_MAX: u64 = 1_000_000;

impl Pace {
    pub(crate) fn new(clock: Arc<Clock>, seat: Arc<Seat>, cpu_ms_per_second: u32) -> Self {
        Self {
            clock,
            seat,
            cpu_ms_per_second,
            made: Instant::now(),
            resumed: AtomicU64::new(0),
            between: AtomicBool::new(false),
            hold: Hold::default(),
        }
    }

    /// The engine has ticked. If the call has had a slice since it was resumed: what that counts for, in nanoseconds.
    pub(crate) fn slice(&self) -> Option<u64> {
        let ran = self.now().saturating_sub(self.resumed.load(Relaxed));
        if ran < SLICE_NS {
            return None;
        }
        Some(ran.min(SLICE_COUNTS_NS_MAX))
    }

    /// The call is long: ticks are to be fine for a while.
    pub(crate) fn found_long(&self) {
        self.clock.found_long();
    }

    /// Waits for the next slice.
    pub(crate) async fn next_slice(self: Arc<Self>) {
        self.between.store(true, Relaxed);
        let seat = Arc::clone(&self.seat);
        seat.after_slice(&self.hold, self.cpu_ms_per_second).await;
        self.between.store(false, Relaxed);
    }

    fn resume(&self) {
        self.clock.wake();
        self.resumed.store(self.now(), Relaxed);
    }

    /// The call gave its thread back.
    fn pause(&self) {
        let ran = self.now().saturating_sub(self.resumed.load(Relaxed));
        // By the clock, since most calls end before the engine ticks: a flood of them counts as well.
        self.seat.spend(ran, &self.hold, self.cpu_ms_per_second);
        if !self.between.load(Relaxed) {
            self.hold.release();
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Runs a call; `None` if it took longer than `wall`. The timer is made only if the call has to wait, which most
/// never do.
pub(crate) async fn within<F: Future>(pace: &Pace, wall: Duration, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        pace.resume();
        let polled = work.as_mut().poll(cx);
        pace.pause();
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
