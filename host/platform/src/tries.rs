use std::time::Duration;

use crate::PlatformError;

/// Writers that meet try again: one of them has been done each time, so all get through.
#[derive(Default)]
pub(crate) struct Tries(u32);

impl Tries {
    /// Waits a little and answers true if it is worth another try.
    pub(crate) async fn again<T>(&mut self, outcome: &Result<T, PlatformError>) -> bool {
        if !matches!(outcome, Err(PlatformError::Conflict)) || self.0 == TRIES_MAX {
            return false;
        }
        self.0 += 1;
        let spread_ms = u64::from(self.0.min(10)) * 10;
        let random = getrandom::u64().unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(random % spread_ms)).await;
        true
    }
}

/// With their pauses: about 5 s.
const TRIES_MAX: u32 = 100;
