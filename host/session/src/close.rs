//! An app leaves a core: because nobody uses it, or because it was deleted.
use std::sync::Arc;

use engineio::CloseReason;
use router::DisconnectReason;

use crate::{Hub, line::Log};

impl Hub {
    /// Stops reading an app's log and forgets its counters, if this core has no session and no socket of it and nobody
    /// waits for it. Answers whether the app is closed now; its next session opens it again.
    pub fn close_line(&self, app: &Arc<str>) -> bool {
        self.with(|state, _| {
            let Some(line) = state.lines.get(app) else {
                return true;
            };
            let opening = matches!(line.log, Log::Opening(_));
            if line.sessions > 0 || line.is_waited_for() || opening {
                return false;
            }
            if state.sockets.values().any(|socket| socket.app.name == *app) {
                return false;
            }
            if let Some(line) = state.lines.remove(app)
                && matches!(line.log, Log::Open { .. })
            {
                self.0.shards.line_closed(app);
            }
            true
        })
    }

    /// Ends every session of an app that is no more, and every socket of it whose client is away. Clients see their
    /// connection close, and no app when they come back.
    pub fn close_app(&self, app: &Arc<str>) {
        self.with(|state, now| {
            let of_app = state.sockets.iter().filter(|(_, socket)| socket.app.name == *app);
            let sockets: Vec<_> = of_app.map(|(key, _)| key).collect();
            for key in sockets {
                state.farewell(key, DisconnectReason::Server);
            }
            let of_app = state
                .sessions
                .iter()
                .filter(|(_, session)| session.app.name == *app);
            let sessions: Vec<_> = of_app.map(|(key, _)| key).collect();
            for key in sessions {
                if let Some(session) = state.sessions.get_mut(key) {
                    session.close(CloseReason::ServerClose, now);
                }
                state.settle(key, now);
            }
        });
    }
}
