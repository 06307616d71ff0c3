//! What is due: heartbeats, time-outs, windows that have passed.
use std::time::Instant;

use crate::{
    app::RENEWED,
    session::Dialect,
    socket::{Phase, Socket},
    state::{SessionKey, SocketKey, State, Task},
    timers::TimerKey,
};

impl State {
    /// Rings what is due.
    pub(crate) fn fire(&mut self, now: Instant) {
        while let Some(key) = self.timers.pop(now) {
            match key {
                TimerKey::Session(key) => self.fire_session(key, now),
                TimerKey::Reading(key) => self.read_on(key),
                TimerKey::Socket(key) => self.fire_socket(key, now),
                TimerKey::Collecting(request) => self.conclude_request(request),
                TimerKey::Gathering(gathering) => self.stop_gathering(gathering),
            }
        }
        self.tasks.push(Task::Rearm);
    }

    pub(crate) fn fire_session(&mut self, key: SessionKey, now: Instant) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        session.due = None;
        if let Some(reason) = session.handle_timeout(now) {
            session.end_plain(Some(1001));
            return self.end_session(key, reason, now);
        }
        if let Dialect::SocketIo(socketio) = &mut session.dialect
            && let Some(output) = socketio.handle_timeout(now)
        {
            self.carry_out(key, output, now);
        }
        self.settle(key, now);
        self.refresh_records(key, now);
    }

    /// Records whose position would age out of the log are written anew: at a heartbeat, so idle clients recover too.
    fn refresh_records(&mut self, key: SessionKey, now: Instant) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let Some(recovery) = session.app.settings.recovery else {
            return;
        };
        for socket in session.sockets.iter() {
            let Some(found) = self.sockets.get_mut(*socket) else {
                continue;
            };
            let Some(processed) = self.lines.get(&found.app.name).map(|line| line.position().1) else {
                continue;
            };
            let behind = processed.saturating_sub(found.saved.through);
            let old = found
                .saved
                .at
                .is_some_and(|at| now.duration_since(at.into()) > recovery.window / RENEWED);
            if matches!(found.phase, Phase::Live { .. })
                && behind > 0
                && (old || behind > recovery.packets_max / u64::from(RENEWED))
            {
                self.tasks.push(Task::Save(*socket));
            }
        }
    }

    fn fire_socket(&mut self, key: SocketKey, now: Instant) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if socket.expiry().is_some_and(|expiry| expiry <= now) {
            return self.expire(key, now);
        }
        let late = socket.pending.give_up_asked(now);
        let gone = match socket.phase {
            Phase::Away { until, reason } if Instant::from(until) <= now => Some(reason),
            _ => None,
        };
        for job in late {
            self.enqueue(key, job);
        }
        if let Some(reason) = gone {
            self.farewell(key, reason);
        } else if let Some(due) = self.sockets.get(key).and_then(Socket::due) {
            self.arm(due, TimerKey::Socket(key));
        }
    }
}
