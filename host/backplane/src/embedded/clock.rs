use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Time for the age of log entries: within the process by the monotonic clock, across processes by the wall's.
///
/// So the wall's may step while we run, and nobody's entries live longer or shorter for it.
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Milliseconds since the process started.
    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Milliseconds since 1970, to be stored.
    pub(super) fn wall_ms() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64)
    }

    /// A stored time on our own scale. One in the future, from before the clock was set back, is taken for now.
    pub(super) fn place_wall_ms(&self, stored_ms: u64) -> i64 {
        let age_ms = Self::wall_ms().saturating_sub(stored_ms);
        self.now_ms()
            .saturating_sub(i64::try_from(age_ms).unwrap_or(i64::MAX))
    }
}
