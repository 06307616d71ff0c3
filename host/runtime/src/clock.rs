#[cfg(test)]
use std::sync::atomic::AtomicU64;
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread::{JoinHandle, Thread},
    time::Duration,
};

/// One tick where calls are short: how long the first that is not may hold its thread.
const TICK: Duration = Duration::from_millis(1);

/// One tick where some are long: about a slice, with what the timer is late.
const TICK_FINE: Duration = Duration::from_micros(150);

/// For so many ticks they stay fine after a call was long, about a second: a tick costs a wake-up.
const FINE_TICKS: u32 = 5_000;

/// Ticks without a call after which the ticker sleeps: a node on which nobody speaks uses no CPU.
const QUIET_TICKS_MAX: u32 = 64;

/// What the ticker and calls tell each other.
#[derive(Default)]
pub(crate) struct Clock {
    /// Written by the ticker alone.
    #[cfg(test)]
    ticks: AtomicU64,
    /// Set by calls that are long, taken by the ticker.
    long: AtomicBool,
    /// Set by calls when they are resumed, taken by the ticker.
    awake: AtomicBool,
    /// Set by the ticker before it sleeps, taken by the call that wakes it.
    asleep: AtomicBool,
    stop: AtomicBool,
    ticker: OnceLock<Thread>,
}

/// The thread that advances an engine's epoch while calls run; ended by its drop.
pub(crate) struct Ticker {
    clock: Arc<Clock>,
    thread: Option<JoinHandle<()>>,
}

impl Clock {
    /// A call has run for more than a slice: ticks are to be fine for a while.
    pub(crate) fn found_long(&self) {
        if !self.long.load(Relaxed) {
            self.long.store(true, Relaxed);
        }
    }

    /// A call is being resumed: it will be again within a tick, as long as it runs.
    pub(crate) fn wake(&self) {
        // Set since the ticker looked: it will not sleep for many ticks.
        if self.awake.load(Relaxed) {
            return;
        }
        self.awake.store(true, SeqCst);
        if self.asleep.load(SeqCst)
            && self.asleep.swap(false, SeqCst)
            && let Some(ticker) = self.ticker.get()
        {
            ticker.unpark();
        }
    }

    /// Sleeps until a call runs. Looks once more after saying so: a call either sees that, or is seen here.
    fn sleep(&self) {
        self.asleep.store(true, SeqCst);
        while self.asleep.load(SeqCst) && !self.awake.load(SeqCst) && !self.stop.load(SeqCst) {
            std::thread::park();
        }
        self.asleep.store(false, SeqCst);
    }

    fn run(&self, wasm: &wasmtime::Engine) {
        let (mut quiet, mut fine) = (0, 0);
        while !self.stop.load(Relaxed) {
            std::thread::park_timeout(if fine > 0 { TICK_FINE } else { TICK });
            #[cfg(test)]
            self.ticks.fetch_add(1, Relaxed);
            wasm.increment_epoch();
            fine = if self.long.swap(false, Relaxed) {
                FINE_TICKS
            } else {
                fine.saturating_sub(1)
            };
            quiet = if self.awake.swap(false, SeqCst) {
                0
            } else {
                quiet + 1
            };
            if quiet >= QUIET_TICKS_MAX {
                self.sleep();
                quiet = 0;
            }
        }
    }
}

impl Ticker {
    pub(crate) fn start(wasm: wasmtime::Engine) -> std::io::Result<Self> {
        let clock = Arc::new(Clock::default());
        let ticking = Arc::clone(&clock);
        let thread = std::thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                _ = ticking.ticker.set(std::thread::current());
                ticking.run(&wasm);
            })?;
        Ok(Self {
            clock,
            thread: Some(thread),
        })
    }

    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.clock.stop.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A ticker that panicked has nothing left to stop.
            _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
