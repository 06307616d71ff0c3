//! Leaving gracefully: connections are closed at a pace, never with a DISCONNECT packet, so that every client comes back
//! by itself, to another node or to this one's successor, and recovers.
use std::time::Duration;

use engineio::CloseReason;

use crate::{Hub, state::SessionKey};

/// How often a batch of sessions is closed.
const TICK: Duration = Duration::from_millis(50);

impl Hub {
    /// Admits no new session and closes those there are, `sessions_per_second` of this core, then waits until the last is
    /// gone and its sockets are stored. The caller sets a deadline: a polling client may take 30 s to fetch its close.
    pub async fn drain(&self, sessions_per_second: u32) {
        self.with(|state, _| state.draining = true);
        let batch = (sessions_per_second as usize / 20).max(1);
        let mut left: Vec<SessionKey> = self.with(|state, _| state.sessions.keys().collect());
        tracing::info!(core = self.0.home.shard, sessions = left.len(), "draining");
        while !left.is_empty() {
            let now = left.split_off(left.len().saturating_sub(batch));
            for key in now {
                self.with(|state, now| {
                    if let Some(session) = state.sessions.get_mut(key) {
                        session.close(CloseReason::ServerClose, now);
                    }
                    state.settle(key, now);
                });
            }
            tokio::time::sleep(TICK).await;
        }
        while self.with(|state, _| {
            !state.sessions.is_empty()
                || state
                    .sockets
                    .values()
                    .any(|s| s.busy || s.saved.done < s.saved.wanted)
        }) {
            tokio::time::sleep(TICK).await;
        }
    }
}
