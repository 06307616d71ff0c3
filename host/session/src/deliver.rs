//! Fan-out: one entry of the log to every socket on this core that it is meant for, encoded once.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use backplane::Step;
use engineio::{CloseReason, Packet};
use router::{Action, Delivery, Limit, Position, Target};
use socketio::{EventData, encode};

use crate::{
    line::Log,
    raw,
    session::size,
    socket::{Asked, Asker, Phase},
    state::{SocketKey, State, Task},
    timers::TimerKey,
};

/// An event in the forms it is sent in, each made when the first socket needs it.
struct Encoded<'a> {
    namespace: &'a str,
    data: &'a EventData,
    position: Position,
    plain: Option<Vec<Packet>>,
    with_offset: Option<Vec<Packet>>,
    raw: Option<Vec<Packet>>,
}

impl<'a> Encoded<'a> {
    fn new(namespace: &'a str, data: &'a EventData, position: Position) -> Self {
        Self {
            namespace,
            data,
            position,
            plain: None,
            with_offset: None,
            raw: None,
        }
    }

    fn packets(&mut self, raw: bool, offset: bool) -> &[Packet] {
        let Self {
            namespace,
            data,
            position,
            ..
        } = *self;
        if raw {
            self.raw
                .get_or_insert_with(|| vec![raw::packet(&raw::message(data))])
        } else if offset {
            self.with_offset
                .get_or_insert_with(|| encode::event(namespace, data, None, Some(&position.to_string())))
        } else {
            self.plain
                .get_or_insert_with(|| encode::event(namespace, data, None, None))
        }
    }
}

impl State {
    /// Goes along with an app's log by one step.
    pub(crate) fn follow(&mut self, app: &Arc<str>, position: Position, step: &Step, now: Instant) {
        match step {
            Step::Entry(delivery) => self.process(app, position, delivery, now),
            Step::Passed => self.processed(app, position, now),
            Step::Gap => self.gap(app, position, now),
        }
    }

    /// Entries were missed for good: sockets that may have been meant cannot go on as if nothing were. They lose their
    /// connection with their position as it was, and find when they come back that it leads nowhere.
    fn gap(&mut self, app: &Arc<str>, position: Position, now: Instant) {
        tracing::error!(%app, ?position, "entries of the log were missed: clients of the app have to join anew");
        let of_app = self
            .sessions
            .iter()
            .filter(|(_, session)| session.app.name == *app);
        let keys: Vec<_> = of_app.map(|(key, _)| key).collect();
        for key in keys {
            if let Some(session) = self.sessions.get_mut(key) {
                session.close(CloseReason::TransportError, now);
            }
            self.settle(key, now);
        }
        self.processed(app, position, now);
    }

    /// Delivers one entry of an app's log and marks it processed.
    fn process(&mut self, app: &Arc<str>, position: Position, delivery: &Delivery, now: Instant) {
        let found = self.resolve(app, &delivery.target);
        match &delivery.action {
            Action::Emit(data) => self.emit(app, position, &delivery.target.namespace, data, &found, now),
            Action::Join(rooms) => {
                for key in found {
                    for room in rooms {
                        self.join(key, room, position.offset);
                    }
                    self.tasks.push(Task::Save(key));
                }
            }
            Action::Leave(rooms) => {
                for key in found {
                    for room in rooms {
                        self.leave(key, room, position.offset);
                    }
                    self.tasks.push(Task::Save(key));
                }
            }
            Action::Disconnect { close } => found
                .into_iter()
                .for_each(|key| self.disconnect(key, *close, now)),
            Action::EmitWithAck {
                data,
                token,
                timeout_ms,
            } => {
                for key in found {
                    let asker = Asker::Handler(token.clone());
                    self.ask(key, data, asker, Duration::from_millis((*timeout_ms).into()), now);
                }
            }
            Action::EmitWithAcks {
                data,
                reply_to,
                timeout_ms,
            } => self.gather(app, (data, *reply_to, *timeout_ms), &found, now),
        }
        self.processed(app, position, now);
    }

    /// Delivers an event that is not in the log: at most once, to those who can take it now.
    pub(crate) fn volatile(&mut self, app: &Arc<str>, delivery: &Delivery, now: Instant) {
        let Action::Emit(data) = &delivery.action else {
            return;
        };
        let found = self.resolve(app, &delivery.target);
        // The offset of what went before it: a client that stores the last argument of any event, whatever it is,
        // stores one that recovers.
        let (epoch, offset) = self.line(app).position();
        let mut encoded = Encoded::new(&delivery.target.namespace, data, Position { epoch, offset });
        let (mut sent, mut dropped, mut bytes) = (0, 0, 0);
        if !self.line(app).sent.wait(now).is_zero() {
            let line = self.line(app);
            line.stats.volatile_dropped += found.len() as u64;
            line.sent.hit(Limit::AppBytesOutPerSecond);
            return;
        }
        for key in found {
            let Some(socket) = self.sockets.get_mut(key) else {
                continue;
            };
            let Phase::Live { session: session_key } = socket.phase else {
                continue;
            };
            let Some(session) = self.sessions.get_mut(session_key) else {
                continue;
            };
            if !session.is_writable() {
                dropped += 1;
                continue;
            }
            sent += 1;
            let offset_told = socket.is_recoverable();
            let packets = encoded.packets(socket.is_raw(), offset_told);
            bytes += packets.iter().map(size).sum::<usize>();
            session.send(packets, now);
            if offset_told {
                socket.progress.sent = socket.progress.sent.max(offset);
            }
            self.settle(session_key, now);
        }
        let line = self.line(app);
        line.stats.deliveries += sent;
        line.stats.volatile_dropped += dropped;
        line.sent.add(bytes, now);
    }

    fn emit(
        &mut self,
        app: &Arc<str>,
        position: Position,
        namespace: &str,
        data: &EventData,
        found: &[SocketKey],
        now: Instant,
    ) {
        let mut encoded = Encoded::new(namespace, data, position);
        let (mut sent, mut bytes) = (0, 0);
        for key in found {
            let Some(socket) = self.sockets.get_mut(*key) else {
                continue;
            };
            let Phase::Live { session: session_key } = socket.phase else {
                continue;
            };
            let Some(session) = self.sessions.get_mut(session_key) else {
                continue;
            };
            sent += 1;
            let recoverable = socket.is_recoverable();
            let packets = encoded.packets(socket.is_raw(), recoverable);
            bytes += packets.iter().map(size).sum::<usize>();
            session.send(packets, now);
            if recoverable {
                socket.progress.sent = position.offset;
            }
            self.settle(session_key, now);
        }
        let line = self.line(app);
        line.stats.deliveries += sent;
        line.sent.add(bytes, now);
    }

    fn resolve(&mut self, app: &Arc<str>, target: &Target) -> Vec<SocketKey> {
        let mut found = Vec::new();
        self.line(app).members.resolve(target, &mut found);
        found
    }

    /// The log has been delivered up to here: acks that waited for that go out.
    fn processed(&mut self, app: &Arc<str>, position: Position, now: Instant) {
        let line = self.line(app);
        if let Log::Open { epoch, processed } = &mut line.log {
            *epoch = position.epoch;
            *processed = position.offset;
        }
        line.stats.log_offset = position.offset;
        let reached = line
            .reaching
            .extract_if(.., |(offset, _)| *offset <= position.offset);
        // Who waited may have given up.
        reached.for_each(|(_, waiting)| _ = waiting.send(()));
        while let Some(entry) = self.line(app).deferred.first_entry() {
            if *entry.key() > position.offset {
                break;
            }
            for ack in entry.remove() {
                self.send_ack(ack.socket, ack.id, &ack.data, now);
            }
        }
    }

    /// Answers a client's event, if the client is still there.
    pub(crate) fn send_ack(&mut self, key: SocketKey, id: u64, data: &EventData, now: Instant) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        let Phase::Live { session: session_key } = socket.phase else {
            return;
        };
        let Some(session) = self.sessions.get_mut(session_key) else {
            return;
        };
        let packets = encode::ack(&socket.namespace, id, data);
        session.send(&packets, now);
        if let Some(line) = self.lines.get_mut(&socket.app.name) {
            line.sent.add(packets.iter().map(size).sum(), now);
        }
        self.settle(session_key, now);
    }

    /// Emits to one socket and remembers that its answer is wanted.
    pub(crate) fn ask(
        &mut self,
        key: SocketKey,
        data: &EventData,
        asker: Asker,
        timeout: Duration,
        now: Instant,
    ) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        let (id, due) = (socket.next_ask, now + timeout);
        socket.next_ask += 1;
        socket.pending.ask(Asked { id, asker, due });
        if let Phase::Live { session: session_key } = socket.phase
            && let Some(session) = self.sessions.get_mut(session_key)
        {
            session.send(&encode::event(&socket.namespace, data, Some(id), None), now);
            self.settle(session_key, now);
        }
        self.arm(due, TimerKey::Socket(key));
    }

    pub(crate) fn join(&mut self, key: SocketKey, room: &router::Room, offset: u64) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if **room == *socket.id {
            return;
        }
        let rooms_max = socket.app.settings.rooms_per_socket_max;
        if socket.stays.rooms().count() >= rooms_max {
            socket.app.quota.hits().bump(Limit::RoomsPerSocket);
            tracing::warn!(app = %socket.app.name, rooms_max, "a socket is in as many rooms as the app allows: join ignored");
            return;
        }
        if socket.stays.join(room, offset)
            && let Some(line) = self.lines.get_mut(&socket.app.name)
        {
            line.members.join(&socket.namespace, key, room);
        }
    }

    pub(crate) fn leave(&mut self, key: SocketKey, room: &str, offset: u64) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if let Some(complete_after) = socket.stays.leave(room, offset) {
            // Rooms it left longer ago are forgotten: a replay may not reach back beyond that.
            socket.progress.forgotten = socket.progress.forgotten.max(complete_after);
        }
        if let Some(line) = self.lines.get_mut(&socket.app.name) {
            line.members.leave(&socket.namespace, key, room);
        }
    }
}
