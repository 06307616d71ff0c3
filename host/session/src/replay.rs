//! What a client missed, read from the log and sent before live traffic goes on.
use std::{
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use backplane::Error;
use engineio::Packet;
use router::{Delivery, DisconnectReason, Epoch, Position, Replayed, Room, replay};
use socketio::encode;
use tokio::time::timeout;

use crate::{
    AppEntry, Hub,
    connect::send_connect,
    session::size,
    socket::{Phase, Socket},
    state::{SessionKey, SocketKey, State, Task},
};

/// Entries read from the log at once.
const PAGE_ENTRIES: usize = 256;

/// How long a recovery waits for this node to read what another has read.
const REACH_PATIENCE: Duration = Duration::from_secs(10);

/// One replay: where it has come to, and how it tells membership changes that were applied already.
struct Replay {
    session: SessionKey,
    key: SocketKey,
    /// Entries up to here have been sent, or were not meant for the socket.
    cursor: u64,
    /// The client has what is up to here.
    received: u64,
    /// Membership changes up to here are in the socket's record.
    seen: u64,
    /// Membership changes after this one are applied by live delivery.
    live_from: u64,
    /// What goes out in one piece with the CONNECT. `None`: the client has had its CONNECT.
    held: Option<Vec<Packet>>,
}

/// As much as goes before the CONNECT, as the reference server has it.
///
/// Stock clients keep what comes before their CONNECT, and count it as received only then; if the connection dies in
/// between, they hear it twice after the next recovery. So it must arrive with the CONNECT or not at all: in one poll,
/// in one write. Where more was missed, the CONNECT goes first.
const HELD_BYTES_MAX: usize = 32 * 1024;
/// A poll's answer has 16 packets.
const HELD_PACKETS_MAX_POLLING: usize = 15;

impl Hub {
    /// Sends what was missed since `from`, then goes live. False if the log does not reach back so far, or the socket is
    /// gone; an error if that cannot be known now.
    pub(crate) async fn replay(
        &self,
        session: SessionKey,
        key: SocketKey,
        app: &Rc<AppEntry>,
        from: Position,
    ) -> Result<bool, Error> {
        // Another node may have told the client of entries that this one has not read yet, or changed its rooms by them:
        // live delivery goes by the rooms of now.
        let known = self.with(|state, _| {
            let socket = state.sockets.get(key)?;
            Some(socket.progress.through.max(socket.stays.latest()))
        });
        let known = from.offset.max(known.unwrap_or(0));
        if !self.reach(&app.name, from.epoch, known).await? {
            return Ok(false);
        }
        let Some(mut replay) = self.with(|state, _| {
            let (epoch, live_from) = state.line(&app.name).position();
            let seen = state.sockets.get(key)?.progress.through;
            let known = from.epoch == epoch;
            known.then_some(Replay {
                session,
                key,
                // A client may be ahead of its record, whose home died before it wrote the last change: rooms joined or
                // left in between are learnt from the log.
                cursor: from.offset.min(seen),
                received: from.offset,
                seen,
                live_from,
                held: Some(Vec::new()),
            })
        }) else {
            return Ok(false);
        };
        match self.follow_up(app, from.epoch, &mut replay).await {
            // The client knows already that it is recovered: it has to come again, to hear that it is not.
            Ok(false) if replay.held.is_none() => Err(Error::Unavailable(
                "the log moved on while it was replayed".into(),
            )),
            outcome => outcome,
        }
    }

    async fn follow_up(&self, app: &Rc<AppEntry>, epoch: Epoch, replay: &mut Replay) -> Result<bool, Error> {
        loop {
            // A slow client slows its own replay, and holds no more of it in memory than the app allows.
            poll_fn(|cx| self.with(|state, _| state.poll_room(replay.session, cx))).await;
            // A crowd that comes back may have missed more than its app may send at once.
            self.wait_for_out(&app.name).await;
            if self.with(|state, now| replay.finish(state, &app.name, now)) {
                return Ok(true);
            }
            let after = Position {
                epoch,
                offset: replay.cursor,
            };
            let page = match self.0.backplane.read(&app.name, after, PAGE_ENTRIES).await {
                Ok(page) => page,
                Err(Error::Gone) => {
                    tracing::info!(app = %app.name, "a client cannot be recovered without a gap");
                    return Ok(false);
                }
                Err(error) => return Err(error),
            };
            if !self.with(|state, now| replay.send(state, &app.name, &page, now)) {
                return Ok(false);
            }
        }
    }
}

impl Hub {
    /// Waits until this core has read the log up to `offset`. False if there is no such place in it, or it is not reached
    /// in time.
    async fn reach(&self, app: &Arc<str>, epoch: Epoch, offset: u64) -> Result<bool, Error> {
        let here = self.with(|state, _| state.line(app).position());
        if here.0 == epoch && here.1 >= offset {
            return Ok(true);
        }
        let head = self.0.backplane.head(app).await?;
        // Of a log that was lost: not to be waited for.
        if head.epoch != epoch {
            return Ok(false);
        }
        if here.0 != epoch {
            return Err(Error::Unavailable(
                "this node has not seen yet that the log was lost".into(),
            ));
        }
        // Beyond the last entry there is nothing to wait for: the log has passed such a place, or it is made up.
        let place = Position { epoch, offset };
        let offset = offset.min(head.offset);
        if !self.has_read(app, offset, REACH_PATIENCE).await {
            return Err(Error::Unavailable("this node is behind".into()));
        }
        if place.offset <= head.offset {
            return Ok(true);
        }
        match self.0.backplane.read(app, place, 1).await {
            Ok(_) => Ok(true),
            Err(Error::Gone) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits until this core has delivered what the log has up to `offset`. False if that takes longer than `patience`.
    pub(crate) async fn has_read(&self, app: &Arc<str>, offset: u64, patience: Duration) -> bool {
        let reached = self.with(|state, _| {
            let line = state.line(app);
            (line.position().1 < offset).then(|| line.await_offset(offset))
        });
        match reached {
            Some(reached) => timeout(patience, reached).await.is_ok_and(|told| told.is_ok()),
            None => true,
        }
    }
}

impl Replay {
    /// Sends a page of the log. False if the socket is gone.
    fn send(
        &mut self,
        state: &mut State,
        app: &Arc<str>,
        page: &[(Position, Arc<Delivery>)],
        now: Instant,
    ) -> bool {
        let processed = state.line(app).position().1;
        for (position, delivery) in page
            .iter()
            .take_while(|(position, _)| position.offset <= processed)
        {
            let Some(socket) = state.sockets.get_mut(self.key) else {
                return false;
            };
            if socket.phase == Phase::Leaving {
                return false;
            }
            let seen = if position.offset > self.live_from {
                position.offset
            } else {
                self.seen
            };
            let (namespace, id) = (socket.namespace.clone(), socket.id.clone());
            match replay(
                (&mut socket.stays, &mut socket.progress.forgotten),
                (&namespace, &id),
                seen,
                position.offset,
                delivery,
            ) {
                Replayed::Nothing => {}
                Replayed::Emit(_) if position.offset <= self.received => {}
                Replayed::Disconnected => return false,
                Replayed::Emit(data) => {
                    socket.progress.sent = position.offset;
                    let packets = encode::event(&namespace, data, None, Some(&position.to_string()));
                    self.give(state, packets, now);
                }
            }
            self.cursor = position.offset;
            if let Some(socket) = state.sockets.get_mut(self.key) {
                socket.progress.through = socket.progress.through.max(self.cursor);
            }
            if state
                .sessions
                .get(self.session)
                .is_some_and(|session| !session.has_room())
            {
                return true;
            }
        }
        // No entry is left up to where this core has come to: it may have come past the last one.
        if page
            .last()
            .is_none_or(|(position, _)| position.offset > processed)
        {
            self.cursor = processed;
        }
        true
    }

    /// Sends an event, or keeps it for the CONNECT.
    fn give(&mut self, state: &mut State, packets: Vec<Packet>, now: Instant) {
        let Some(session) = state.sessions.get(self.session) else {
            return;
        };
        if let Some(held) = &mut self.held {
            held.extend(packets);
            let packets_max = if session.is_polling() {
                HELD_PACKETS_MAX_POLLING
            } else {
                usize::MAX
            };
            let bytes: usize = held.iter().map(size).sum();
            if held.len() <= packets_max && bytes <= HELD_BYTES_MAX {
                return;
            }
            let held = self.held.take().unwrap_or_default();
            send_connect(state, self.session, self.key);
            send_missed(state, self.session, &held, now);
        } else {
            send_missed(state, self.session, &packets, now);
        }
        state.settle(self.session, now);
    }

    /// Goes live if nothing is left to send.
    fn finish(&mut self, state: &mut State, app: &Arc<str>, now: Instant) -> bool {
        if self.cursor < state.line(app).position().1 {
            return false;
        }
        finish(state, self.session, self.key, self.held.take(), now);
        true
    }
}

/// Caught up: live from here, and the client is told, if it was not yet, with what was held.
fn finish(state: &mut State, session: SessionKey, key: SocketKey, held: Option<Vec<Packet>>, now: Instant) {
    let Some(socket) = state.sockets.get_mut(key) else {
        return;
    };
    let Some(line) = state.lines.get_mut(&socket.app.name) else {
        return;
    };
    socket.progress.through = line.position().1;
    // Rooms joined or left in the log while it was away, on another node or before a restart.
    line.members
        .remove(&socket.namespace, &socket.id, line_rooms(socket).iter());
    line.members.insert(&socket.namespace, socket.id.clone(), key);
    for room in socket.stays.rooms() {
        line.members.join(&socket.namespace, key, room);
    }
    if state.sessions.contains_key(session) {
        socket.phase = Phase::Live { session };
        if let Some(held) = held {
            send_missed(state, session, &held, now);
            send_connect(state, session, key);
        }
        state.settle(session, now);
        state.arm_expiry(key);
    } else if let Some(recovery) = socket.app.settings.recovery {
        state.put_away(key, now + recovery.window, DisconnectReason::TransportError);
    }
    state.tasks.push(Task::Save(key));
}

/// Charged to the app as if it were said now.
fn send_missed(state: &mut State, session: SessionKey, packets: &[Packet], now: Instant) {
    let Some(session) = state.sessions.get_mut(session) else {
        return;
    };
    session.send(packets, now);
    let app = Arc::clone(&session.app.name);
    state.line(&app).sent.add(packets.iter().map(size).sum(), now);
}

/// Every room the socket is or was in.
fn line_rooms(socket: &Socket) -> Vec<Room> {
    socket.stays.all_rooms().cloned().collect()
}
