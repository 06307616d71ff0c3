//! The first calls of a version that has just gone live: one that traps at once is taken back.
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use router::Failure;

/// Counts one version's first calls on this node.
#[derive(Debug)]
pub(crate) struct Trial {
    calls: AtomicU32,
    traps: AtomicU32,
}

/// Calls on trial: afterwards a version is as good as any, and its traps are its author's to see.
const CALLS: u32 = 20;
/// So many traps among them, and more than calls that went well, end it.
const TRAPS: u32 = 3;

/// A version that went live longer ago than this has been tried elsewhere, or in an earlier life of the app here: what
/// fails when it wakes is not the deploy. Clocks of nodes may differ by less.
const NEW: Duration = Duration::from_mins(10);

impl Trial {
    /// Of a version that went live at `since_ms`, milliseconds since 1970.
    pub(crate) fn since(since_ms: u64, now_ms: u64) -> Self {
        let age = Duration::from_millis(now_ms.saturating_sub(since_ms));
        if age < NEW {
            Self::of_calls(0)
        } else {
            Self::over()
        }
    }

    /// Of what is tried no more, or never was.
    pub(crate) fn over() -> Self {
        Self::of_calls(CALLS)
    }

    fn of_calls(calls: u32) -> Self {
        Self {
            calls: AtomicU32::new(calls),
            traps: AtomicU32::new(0),
        }
    }

    /// Whether the version is to be taken back because of this call: said once.
    pub(crate) fn fails<T>(&self, outcome: &Result<T, Failure>) -> bool {
        // The usual case, for the rest of a version's life: one load.
        if self.calls.load(Ordering::Relaxed) >= CALLS {
            return false;
        }
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        // Neither a limit nor a store that cannot be reached shows that the code is broken.
        if !matches!(outcome, Err(Failure::Trapped(_))) {
            return false;
        }
        let traps = self.traps.fetch_add(1, Ordering::Relaxed) + 1;
        let fails = traps >= TRAPS && traps * 2 > calls;
        if fails {
            self.calls.store(CALLS, Ordering::Relaxed);
        }
        fails
    }
}

#[cfg(test)]
mod tests;
