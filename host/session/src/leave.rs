//! How sockets end: away for a while, or for good.
use std::time::Instant;

use engineio::CloseReason;
use router::DisconnectReason;
use socketio::encode;

use crate::{
    line::Line,
    session::Dialect,
    socket::{Job, Phase, Socket},
    state::{SessionKey, SocketKey, State, Task},
    timers::TimerKey,
};

impl State {
    /// A socket lost its session.
    pub(crate) fn detach(&mut self, key: SocketKey, reason: CloseReason, now: Instant) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        let why = match reason {
            CloseReason::PingTimeout => DisconnectReason::PingTimeout,
            CloseReason::ClientClose if socket.is_raw() => DisconnectReason::Client,
            CloseReason::ServerClose => DisconnectReason::Server,
            CloseReason::ClientClose
            | CloseReason::TransportError
            | CloseReason::ParseError
            | CloseReason::Overflow => DisconnectReason::TransportError,
        };
        let position = self.lines.get(&socket.app.name).map(Line::position);
        match socket.phase {
            Phase::Connecting { .. } => socket.phase = Phase::Orphaned,
            // The replay sees that its session is gone and puts the socket away itself.
            Phase::Replaying { .. } | Phase::Away { .. } | Phase::Orphaned | Phase::Leaving => {}
            Phase::Live { .. } => {
                let window = socket.app.settings.recovery.map(|recovery| recovery.window);
                match window.filter(|_| socket.is_recoverable() && reason != CloseReason::ParseError) {
                    None => self.farewell(key, why),
                    Some(window) => {
                        if let Some((_, processed)) = position {
                            socket.progress.through = processed;
                        }
                        let is_saved = socket.is_saved_at(socket.progress.through);
                        self.keep_away(key, now + window, why);
                        if !is_saved {
                            self.tasks.push(Task::Save(key));
                        }
                    }
                }
            }
        }
    }

    /// Keeps a socket without a session until `until`, as its record will say.
    pub(crate) fn put_away(&mut self, key: SocketKey, until: Instant, reason: DisconnectReason) {
        self.keep_away(key, until, reason);
        self.tasks.push(Task::Save(key));
    }

    fn keep_away(&mut self, key: SocketKey, until: Instant, reason: DisconnectReason) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        socket.phase = Phase::Away {
            until: until.into(),
            reason,
        };
        if let Some(identity) = &mut socket.identity {
            identity.speaks = None;
        }
        socket.pending.forget_answers();
        self.arm(until, TimerKey::Socket(key));
    }

    /// A socket leaves for good: nothing is delivered to it any more, its handler is told after what it still has to do.
    pub(crate) fn farewell(&mut self, key: SocketKey, reason: DisconnectReason) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        match socket.phase {
            Phase::Leaving => return,
            Phase::Connecting { .. } => {
                socket.phase = Phase::Orphaned;
                return;
            }
            Phase::Live { .. } | Phase::Replaying { .. } | Phase::Away { .. } | Phase::Orphaned => {}
        }
        socket.pending.push_job(Job::Disconnect(reason));
        self.unlink(key);
        self.tasks.push(Task::Work(key));
    }

    /// Takes a socket out of its session and its rooms; it is `Leaving` then.
    pub(crate) fn unlink(&mut self, key: SocketKey) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        let was = std::mem::replace(&mut socket.phase, Phase::Leaving);
        let session = match was {
            Phase::Connecting { session } | Phase::Live { session } | Phase::Replaying { session } => {
                Some(session)
            }
            Phase::Away { .. } | Phase::Orphaned | Phase::Leaving => None,
        };
        let namespace = socket.namespace.clone();
        // A copy that was given up has no place to lose: by now that may be another's, of the same id.
        if let Some(line) = self.lines.get_mut(&socket.app.name)
            && line.members.socket(&namespace, &socket.id) == Some(key)
        {
            line.members.remove(&namespace, &socket.id, socket.stays.rooms());
        }
        if let Some(session) = session.and_then(|session| self.sessions.get_mut(session)) {
            session.sockets.retain(|other| *other != key);
            if let Dialect::SocketIo(socketio) = &mut session.dialect {
                socketio.remove(&namespace);
            }
        }
    }

    /// Takes a socket that could not be recovered out of the session it was to be recovered on. What the client waits for
    /// there stays open.
    pub(crate) fn part(&mut self, session: SessionKey, key: SocketKey) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.sockets.retain(|other| *other != key);
        }
        if let Some(socket) = self.sockets.get_mut(key)
            && matches!(socket.phase, Phase::Replaying { .. })
        {
            socket.phase = Phase::Orphaned;
        }
    }

    /// Another home owns this socket now: its copy here vanishes without a word to the app, its connection ends.
    pub(crate) fn evict(&mut self, key: SocketKey, now: Instant) {
        let session = self.sockets.get(key).and_then(Socket::session);
        self.unlink(key);
        self.remove_socket(key);
        if let Some(session) = session {
            if let Some(zombie) = self.sessions.get_mut(session) {
                zombie.close(CloseReason::TransportError, now);
            }
            self.settle(session, now);
        }
    }

    /// A handler disconnects a socket: a DISCONNECT packet, or the whole connection. Neither is recovered from.
    pub(crate) fn disconnect(&mut self, key: SocketKey, close: bool, now: Instant) {
        let Some(socket) = self.sockets.get(key) else {
            return;
        };
        let (session, namespace, raw) = (socket.session(), socket.namespace.clone(), socket.is_raw());
        self.farewell(key, DisconnectReason::Server);
        let Some(key) = session else { return };
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if close || raw {
            for other in session.sockets.clone() {
                self.farewell(other, DisconnectReason::Server);
            }
            if let Some(session) = self.sessions.get_mut(key) {
                session.close(CloseReason::ServerClose, now);
            }
        } else {
            session.send(&[encode::disconnect(&namespace)], now);
        }
        self.settle(key, now);
    }
}
