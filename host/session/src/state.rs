//! Everything a core knows, and what happens to it: no awaits here. What needs one is left as [`Task`]s to the hub.
use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use compact::Moment;
use engineio::{CloseReason, Message, Output};
use router::{AckOutcome, DisconnectReason, Limit, ReplyTo};
use rustc_hash::FxHashMap;
use slotmap::{SlotMap, new_key_type};
use socketio::{EventData, RecoveryClaim, encode};

use crate::{
    collect::{Collecting, Gathering, Report},
    line::{Line, Lines},
    raw,
    session::{Dialect, Link, Session},
    socket::{Asker, Job, Phase, Socket},
    timers::{TimerKey, Timers},
};

new_key_type! {
    /// Names a session on its core; never reused.
    pub(crate) struct SessionKey;
    /// Names a socket on its core; never reused.
    pub(crate) struct SocketKey;
}

pub(crate) struct State {
    pub(crate) sessions: SlotMap<SessionKey, Session>,
    /// Keys that are drawn, not chosen.
    pub(crate) sids: FxHashMap<Arc<str>, SessionKey>,
    pub(crate) sockets: SlotMap<SocketKey, Socket>,
    pub(crate) lines: Lines,
    pub(crate) timers: Timers,
    /// Emits to many: those that this core's handlers wait for, and those that its sockets were asked by.
    pub(crate) collecting: HashMap<u64, Collecting>,
    pub(crate) gathering: HashMap<u64, Gathering>,
    /// The last number given to one of either.
    pub(crate) requests: u64,
    pub(crate) draining: bool,
    /// What a mutation left to do that may call an app or wait. The hub takes it after each mutation.
    pub(crate) tasks: Vec<Task>,
}

/// Room for sessions, and for sockets, from the start: 2.6 MB each of address space, of which only what is used is memory. A
/// list that doubles from little leaves its former places behind, which is half a kilobyte a session.
const SLOTS: usize = 8192;

impl Default for State {
    fn default() -> Self {
        Self {
            sessions: SlotMap::with_capacity_and_key(SLOTS),
            sids: FxHashMap::default(),
            sockets: SlotMap::with_capacity_and_key(SLOTS),
            lines: Lines::default(),
            timers: Timers::default(),
            collecting: HashMap::new(),
            gathering: HashMap::new(),
            requests: 0,
            draining: false,
            tasks: Vec::new(),
        }
    }
}

pub(crate) enum Task {
    /// A client (or the opening of a raw session) asks for a namespace.
    Connect {
        session: SessionKey,
        namespace: Arc<str>,
        auth: Option<String>,
        claim: Option<RecoveryClaim>,
    },
    /// A client showed a new token.
    Refresh {
        socket: SocketKey,
        token: Option<String>,
        ack: Option<u64>,
    },
    /// A socket has jobs.
    Work(SocketKey),
    /// A socket's record is to be written.
    Save(SocketKey),
    /// A socket is gone for good: its record goes too, if it is still ours.
    Forget {
        app: Arc<str>,
        id: Arc<str>,
        revision: u64,
        /// Its token's key and its `pid`.
        token: Option<(Arc<str>, String)>,
    },
    /// Answers are to be brought to who asked.
    Report {
        app: Arc<str>,
        reply_to: ReplyTo,
        report: Box<Report>,
    },
    /// The first timer is earlier than it was.
    Rearm,
}

/// Counters of one app. Per core inside; summed by [`crate::Shards::stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppStats {
    /// Now: connections, sockets on them, and sockets that are away and may come back.
    pub sessions: u64,
    pub sockets: u64,
    pub away: u64,
    /// Ever: sessions opened, events received, packets delivered to sockets, volatile ones dropped.
    pub opened: u64,
    pub events: u64,
    pub deliveries: u64,
    pub volatile_dropped: u64,
    /// Ever: bytes that clients sent and were sent, before compression and framing.
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Ever: recoveries that succeeded, and those that were refused for want of a complete log.
    pub recovered: u64,
    pub not_recovered: u64,
    /// Ever: connections closed because their client was too slow.
    pub overflows: u64,
    /// Ever: calls of the app's handler that failed.
    pub failures: u64,
    /// Ever: clients that were refused for their token.
    pub unauthorised: u64,
    /// The last offset of the log that was delivered.
    pub log_offset: u64,
}

impl State {
    pub(crate) fn line(&mut self, app: &Arc<str>) -> &mut Line {
        self.lines.of(app)
    }

    pub(crate) fn add_socket(&mut self, socket: Socket) -> SocketKey {
        let app = socket.app.name.clone();
        self.line(&app).sockets += 1;
        self.sockets.insert(socket)
    }

    pub(crate) fn remove_socket(&mut self, key: SocketKey) -> Option<Socket> {
        let socket = self.sockets.remove(key)?;
        if let Some(line) = self.lines.get_mut(&socket.app.name) {
            line.sockets -= 1;
        }
        Some(socket)
    }

    /// Carries out what a session's cores want, until they want nothing. After every mutation of a session.
    pub(crate) fn flush(&mut self, key: SessionKey, now: Instant) {
        while let Some(output) = self.sessions.get_mut(key).and_then(Session::poll_output) {
            match output {
                Output::Message(message) => self.receive(key, message, now),
                Output::Closed(reason) => return self.end_session(key, reason, now),
                Output::Poll(_) | Output::Text(_) | Output::Binary(_) | Output::CloseWebSocket(_) => {}
            }
        }
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if session.overflows() {
            session.close(CloseReason::Overflow, now);
            let app = session.app.name.clone();
            self.line(&app).stats.overflows += 1;
            return self.flush(key, now);
        }
        self.confirm(key);
        self.arm_session(key);
    }

    /// A pong proves that its client has received what it was told before the ping.
    fn confirm(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let Link::Engine(engine) = &session.link else {
            return;
        };
        let awaits = engine.awaits_pong();
        if std::mem::replace(&mut session.awaits_pong, awaits) == awaits {
            return;
        }
        for socket in session.sockets.iter() {
            let Some(socket) = self.sockets.get_mut(*socket) else {
                continue;
            };
            let Phase::Live { .. } = socket.phase else {
                continue;
            };
            if awaits {
                let position = self.lines.get(&socket.app.name).map(Line::position);
                socket.pinged = (socket.progress.sent, position.map_or(0, |(_, offset)| offset));
            } else if socket.pinged >= (socket.progress.confirmed, socket.progress.quiet) {
                (socket.progress.confirmed, socket.progress.quiet) = socket.pinged;
            }
        }
    }

    fn arm_session(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let Some(due) = session.timeout() else { return };
        // A timer that rings too early is armed again then: cheaper than moving it with each pong.
        if session.due.is_none_or(|armed| due < armed) {
            session.due = Some(due);
            self.arm(due, TimerKey::Session(key));
        }
    }

    pub(crate) fn arm(&mut self, due: impl Into<Moment>, key: TimerKey) {
        if self.timers.arm(due.into(), key) {
            self.tasks.push(Task::Rearm);
        }
    }

    /// A message of the client.
    pub(crate) fn receive(&mut self, key: SessionKey, message: Message, now: Instant) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        match &mut session.dialect {
            Dialect::Messages => {
                if let Some(socket) = session.sockets.first().copied() {
                    self.hear(socket, raw::event(message), None, now);
                }
            }
            Dialect::SocketIo(socketio) => {
                if let Some(output) = socketio.handle_message(message, now) {
                    self.carry_out(key, output, now);
                }
            }
        }
    }

    /// Carries out what the Socket.IO core wants.
    pub(crate) fn carry_out(&mut self, key: SessionKey, output: socketio::Output, now: Instant) {
        use socketio::Output;
        match output {
            Output::Connect {
                namespace,
                auth,
                recovery,
            } => self.ask_to_join(key, namespace, auth, recovery, now),
            Output::Event { namespace, ack, data } => {
                if let Some(socket) = self.socket_of(key, &namespace) {
                    self.hear(socket, data, ack, now);
                }
            }
            Output::Ack { namespace, id, data } => {
                if let Some(socket) = self.socket_of(key, &namespace) {
                    self.answered(socket, id, data, now);
                }
            }
            Output::Disconnect { namespace } => {
                if let Some(socket) = self.socket_of(key, &namespace) {
                    self.farewell(socket, DisconnectReason::Client);
                }
            }
            Output::Broken(violation) => {
                if let Some(session) = self.sessions.get_mut(key) {
                    tracing::debug!(app = %session.app.name, %violation, "client broke the protocol");
                    session.close(CloseReason::ParseError, now);
                }
            }
        }
    }

    fn ask_to_join(
        &mut self,
        key: SessionKey,
        namespace: Arc<str>,
        auth: Option<String>,
        claim: Option<RecoveryClaim>,
        now: Instant,
    ) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if session.app.settings.namespaces.contains(&namespace) {
            self.tasks.push(Task::Connect {
                session: key,
                namespace,
                auth,
                claim,
            });
        } else {
            if let Dialect::SocketIo(socketio) = &mut session.dialect {
                socketio.remove(&namespace);
            }
            session.send(
                &[encode::connect_error(&namespace, "Invalid namespace", None)],
                now,
            );
        }
    }

    pub(crate) fn socket_of(&self, session: SessionKey, namespace: &str) -> Option<SocketKey> {
        let sockets = &self.sessions.get(session)?.sockets;
        sockets.iter().copied().find(|key| {
            self.sockets
                .get(*key)
                .is_some_and(|socket| *socket.namespace == *namespace)
        })
    }

    pub(crate) fn enqueue(&mut self, key: SocketKey, job: Job) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if let Job::Event { ack: Some(ack), .. } = job {
            socket.pending.expect_answer(ack);
        }
        socket.pending.push_job(job);
        if !socket.busy {
            self.tasks.push(Task::Work(key));
        }
        if let Some(line) = self.lines.get_mut(&socket.app.name) {
            line.stats.events += 1;
        }
    }

    /// A client's ack of one of our emits. Unknown ids are ignored, as the reference server does.
    fn answered(&mut self, key: SocketKey, id: u64, data: EventData, now: Instant) {
        let Some(socket) = self.sockets.get_mut(key).filter(|socket| socket.may_speak(now)) else {
            return;
        };
        if let Some(asked) = socket.pending.take_asked(id) {
            let socket_id = socket.id.clone();
            match asked.asker {
                Asker::Handler(token) => {
                    let outcome = AckOutcome::Answered(data);
                    self.enqueue(key, Job::Ack { token, outcome });
                }
                Asker::Gathering(gathering) => self.gathered(gathering, &socket_id, &data),
            }
        }
    }

    /// A session is over: its transports are told, its sockets go away or leave.
    pub(crate) fn end_session(&mut self, key: SessionKey, reason: CloseReason, now: Instant) {
        let Some(mut session) = self.sessions.remove(key) else {
            return;
        };
        self.sids.remove(&session.sid);
        session.wake();
        self.line(&session.app.name).sessions -= 1;
        if let Some(outbox) = session.outbox.take() {
            outbox.push(crate::Outgoing::Close(None));
        }
        if reason == CloseReason::Overflow {
            session.app.quota.hits().bump(Limit::QueueBytes);
        }
        tracing::debug!(app = %session.app.name, ?reason, "session ended");
        for socket in session.sockets {
            self.detach(socket, reason, now);
        }
    }

    /// Ready when most of what was sent to a session has been taken by its client, or the session is gone.
    pub(crate) fn poll_room(&mut self, key: SessionKey, cx: &mut Context<'_>) -> Poll<()> {
        self.sessions
            .get_mut(key)
            .map_or(Poll::Ready(()), |session| session.poll_room(cx))
    }

    /// [`State::flush`], and the end of a plain WebSocket, which has no core to say it.
    pub(crate) fn settle(&mut self, key: SessionKey, now: Instant) {
        match self.sessions.get(key).map(|session| &session.link) {
            Some(Link::Ended) => self.end_session(key, CloseReason::ServerClose, now),
            Some(Link::Engine(_) | Link::Plain(_)) => self.flush(key, now),
            None => {}
        }
    }
}
