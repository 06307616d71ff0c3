//! Recovery: a socket comes back on another session, with its id, rooms, state and what it missed; or the client is told
//! that it did not.
use std::{future::poll_fn, rc::Rc, sync::Arc, time::Duration};

use backplane::{Change, Condition, Error};
use engineio::CloseReason;
use router::{DisconnectReason, Epoch, Position, Replayed, replay};
use socketio::{RecoveryClaim, encode};
use tokio::sync::oneshot;

use crate::{
    AppEntry, Hub,
    connect::send_connect,
    ids::{self, Secret},
    record::{Record, bucket},
    socket::{Phase, Socket},
    state::{SessionKey, SocketKey, State, Task},
};

/// A record and the revision it was read at.
struct Claimed {
    record: Record,
    revision: u64,
}

/// What a home answers when another core wants its socket.
enum Released {
    Yes {
        record: Record,
        revision: u64,
    },
    /// It is being taken over or leaving: ask again.
    Busy,
    Unknown,
}

/// How often a busy socket is asked for, and how long apart: a take-over waits for a call to end, which has a limit.
const RELEASE_TRIES: u32 = 400;
const RELEASE_PAUSE: Duration = Duration::from_millis(25);

/// Entries read from the log at once.
const REPLAY_PAGE: usize = 256;

impl Hub {
    /// Brings a socket back. False if it cannot be: the client joins anew and is told so by a new id.
    pub(crate) async fn recover(
        &self,
        session: SessionKey,
        app: &Rc<AppEntry>,
        namespace: &Arc<str>,
        claim: &RecoveryClaim,
    ) -> bool {
        let Some((secret, id)) = ids::parse_pid(&claim.pid) else {
            return false;
        };
        let Some(claimed) = self.claim(app, namespace, &id, &secret).await else {
            self.with(|state, _| state.line(&app.name).stats.not_recovered += 1);
            return false;
        };
        let resumed = claimed.record.progress.resume(claim.offset.as_deref());
        let key = self.install(session, app, &id, claimed);
        let replayed = match resumed {
            Some(from) => self.replay(session, key, app, from).await,
            None => false,
        };
        self.with(|state, _| {
            let stats = &mut state.line(&app.name).stats;
            stats.recovered += u64::from(replayed);
            stats.not_recovered += u64::from(!replayed);
            if !replayed {
                // What was missed cannot be told: the old socket ends here.
                state.farewell(key, DisconnectReason::RecoveryExpired);
            }
        });
        replayed
    }

    /// Takes a socket from its home, whoever that is, and makes this core its home.
    async fn claim(
        &self,
        app: &Rc<AppEntry>,
        namespace: &str,
        id: &Arc<str>,
        secret: &Secret,
    ) -> Option<Claimed> {
        for _ in 0..RELEASE_TRIES {
            let value = self.0.backplane.get(&bucket(&app.name), id).await.ok()??;
            let mut record = Record::decode(&value.bytes)?;
            if *record.namespace != *namespace || !ids::same_secret(&record.secret, secret) {
                return None;
            }
            let mut revision = value.revision;
            if record.home.incarnation == self.0.home.incarnation {
                let (name, namespace, id) = (app.name.clone(), record.namespace.clone(), id.clone());
                let release = self.0.shards.ask(record.home.shard, move |hub| {
                    Box::pin(async move { hub.release(&name, &namespace, &id).await })
                });
                match release.await.unwrap_or(Released::Unknown) {
                    Released::Yes {
                        record: fresh,
                        revision: at,
                    } => (record, revision) = (fresh, at),
                    Released::Unknown => return None,
                    Released::Busy => {
                        tokio::time::sleep(RELEASE_PAUSE).await;
                        continue;
                    }
                }
            }
            record.home = self.0.home;
            let change = Change {
                key: id.to_string(),
                value: Some(record.encode()),
                condition: Condition::Revision(revision),
            };
            match self.0.backplane.write(&bucket(&app.name), vec![change]).await {
                Ok(revision) => return Some(Claimed { record, revision }),
                Err(Error::Conflict { .. }) => {}
                Err(error) => {
                    tracing::warn!(app = %app.name, %error, "a socket could not be taken over");
                    return None;
                }
            }
        }
        None
    }

    /// Gives a socket up to another core: its connection, if it has one, is a zombie and closed; what it has begun ends.
    async fn release(&self, app: &Arc<str>, namespace: &str, id: &str) -> Released {
        let (send, idle) = oneshot::channel();
        let found = self.with(|state, now| {
            let Some(key) = state.line(app).members.socket(namespace, id) else {
                return Err(Released::Unknown);
            };
            let position = state.line(app).position().1;
            let Some(socket) = state.sockets.get_mut(key) else {
                return Err(Released::Unknown);
            };
            let session = match socket.phase {
                Phase::Live { session } => {
                    socket.progress.through = position;
                    Some(session)
                }
                // A replay keeps `through` where it has come to.
                Phase::Replaying { session } => Some(session),
                Phase::Away { .. } => None,
                Phase::Connecting { .. } | Phase::Orphaned | Phase::Leaving => return Err(Released::Busy),
            };
            state.unlink(key);
            if let Some(session) = session {
                if let Some(zombie) = state.sessions.get_mut(session) {
                    zombie.close(CloseReason::TransportError, now);
                }
                state.settle(session, now);
            }
            let Some(socket) = state.sockets.get_mut(key) else {
                return Err(Released::Unknown);
            };
            if socket.busy || !socket.jobs.is_empty() {
                socket.idle = Some(send);
                state.tasks.push(Task::Work(key));
                return Ok((key, true));
            }
            Ok((key, false))
        });
        let (key, wait) = match found {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        if wait {
            _ = idle.await;
        }
        self.save(key).await;
        self.with(|state, _| {
            let Some(socket) = state.sockets.remove(key) else {
                return Released::Unknown;
            };
            match socket.saved.revision {
                Some(revision) => Released::Yes {
                    record: socket.record(self.0.home),
                    revision,
                },
                None => Released::Unknown,
            }
        })
    }

    /// Makes a claimed socket a socket of this core, catching up.
    fn install(&self, session: SessionKey, app: &Rc<AppEntry>, id: &Arc<str>, claimed: Claimed) -> SocketKey {
        self.with(|state, _| {
            let key = install(state, app, id, claimed, Phase::Replaying { session });
            if let Some(session) = state.sessions.get_mut(session) {
                session.sockets.push(key);
            }
            key
        })
    }

    /// Sends what was missed since `from`, then goes live. False if the log does not reach back so far.
    async fn replay(&self, session: SessionKey, key: SocketKey, app: &Rc<AppEntry>, from: Position) -> bool {
        let live_from = self.with(|state, _| state.line(&app.name).position());
        if from.epoch != live_from.0 || from.offset > live_from.1 {
            return false;
        }
        let seen = self.with(|state, _| state.sockets.get(key).map_or(0, |socket| socket.progress.through));
        let mut cursor = from.offset;
        loop {
            poll_fn(|cx| self.with(|state, _| state.poll_room(session, cx))).await;
            if self.with(|state, now| {
                let done = cursor >= state.line(&app.name).position().1;
                if done {
                    finish_replay(state, session, key, now);
                }
                done
            }) {
                return true;
            }
            let after = Position {
                epoch: from.epoch,
                offset: cursor,
            };
            let page = match self.0.backplane.read(&app.name, after, REPLAY_PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::info!(app = %app.name, %error, "a client cannot be recovered without a gap");
                    return false;
                }
            };
            let gone = self.with(|state, now| {
                let processed = state.line(&app.name).position().1;
                for (position, delivery) in page
                    .iter()
                    .take_while(|(position, _)| position.offset <= processed)
                {
                    let Some(socket) = state.sockets.get_mut(key) else {
                        return true;
                    };
                    if socket.phase == Phase::Leaving {
                        return true;
                    }
                    let who = (&*socket.namespace.clone(), &*socket.id.clone());
                    let seen = if position.offset > live_from.1 {
                        position.offset
                    } else {
                        seen
                    };
                    match replay(&mut socket.stays, who, seen, position.offset, delivery) {
                        Replayed::Nothing => {}
                        Replayed::Disconnected => return true,
                        Replayed::Emit(data) => {
                            let token = position.to_string();
                            let packets = encode::event(&socket.namespace, data, None, Some(&token));
                            socket.progress.sent = position.offset;
                            if let Some(session) = state.sessions.get_mut(session) {
                                session.send(&packets, now);
                            }
                        }
                    }
                    cursor = position.offset;
                    if let Some(socket) = state.sockets.get_mut(key) {
                        socket.progress.through = socket.progress.through.max(cursor);
                    }
                }
                if page.is_empty() {
                    cursor = processed;
                }
                state.settle(session, now);
                false
            });
            if gone {
                return false;
            }
        }
    }

    /// Takes in the sockets that an earlier process left in the data directory: away, their window begun anew. Each core
    /// takes its share, by id.
    pub(crate) async fn restore(&self, app: &Rc<AppEntry>, epoch: Epoch) -> Result<(), Error> {
        let (bucket, shards) = (bucket(&app.name), self.0.shards.count());
        let mut after: Option<String> = None;
        loop {
            let keys = self.0.backplane.keys(&bucket, "", after.as_deref(), 512).await?;
            let Some(last) = keys.last().cloned() else {
                return Ok(());
            };
            for id in keys
                .iter()
                .filter(|id| share(id, shards) == usize::from(self.0.home.shard))
            {
                let Some(value) = self.0.backplane.get(&bucket, id).await? else {
                    continue;
                };
                let Some(mut record) = Record::decode(&value.bytes) else {
                    continue;
                };
                if record.home.incarnation == self.0.home.incarnation {
                    continue;
                }
                record.home = self.0.home;
                let condition = Condition::Revision(value.revision);
                let change = Change {
                    key: id.clone(),
                    value: Some(record.encode()),
                    condition,
                };
                // A conflict is a client that came back first.
                let Ok(revision) = self.0.backplane.write(&bucket, vec![change]).await else {
                    continue;
                };
                self.with(|state, now| {
                    let Some(recovery) = app.settings.recovery else {
                        return;
                    };
                    let lost = record.progress.epoch != epoch;
                    let id: Arc<str> = id.as_str().into();
                    let reason = DisconnectReason::TransportError;
                    let phase = Phase::Away {
                        until: now + recovery.window,
                        reason,
                    };
                    let key = install(state, app, &id, Claimed { record, revision }, phase);
                    if lost {
                        state.farewell(key, DisconnectReason::RecoveryExpired);
                    } else {
                        state.put_away(key, now + recovery.window, reason);
                    }
                });
            }
            after = Some(last);
        }
    }

    /// Removes the record of a socket that is gone for good.
    pub(crate) async fn forget(self, app: Arc<str>, id: Arc<str>) {
        let change = Change {
            key: id.to_string(),
            value: None,
            condition: Condition::Always,
        };
        if let Err(error) = self.0.backplane.write(&bucket(&app), vec![change]).await {
            tracing::warn!(%app, %error, "a socket's record was not removed; it goes with its window");
        }
    }
}

fn install(
    state: &mut State,
    app: &Rc<AppEntry>,
    id: &Arc<str>,
    claimed: Claimed,
    phase: Phase,
) -> SocketKey {
    let Claimed { record, revision } = claimed;
    let mut socket = Socket::restored(app.clone(), id.clone(), record, phase);
    socket.saved.revision = Some(revision);
    let (namespace, stays) = (socket.namespace.clone(), socket.stays.clone());
    let key = state.sockets.insert(socket);
    let members = &mut state.line(&app.name).members;
    members.insert(&namespace, id.clone(), key);
    stays.rooms().for_each(|room| members.join(&namespace, key, room));
    key
}

/// Caught up: live from here, and the client is told.
fn finish_replay(state: &mut State, session: SessionKey, key: SocketKey, now: std::time::Instant) {
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
        send_connect(state, session, key);
        state.settle(session, now);
    } else if let Some(recovery) = socket.app.settings.recovery {
        state.put_away(key, now + recovery.window, DisconnectReason::TransportError);
    }
    state.tasks.push(Task::Save(key));
}

/// Every room the socket is or was in.
fn line_rooms(socket: &Socket) -> Vec<router::Room> {
    socket.stays.all_rooms().cloned().collect()
}

/// Which core takes in a socket that has no home.
fn share(id: &str, shards: usize) -> usize {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        // FNV-1a: any even spread will do.
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % shards as u64) as usize
}
