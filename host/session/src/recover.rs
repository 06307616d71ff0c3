//! Recovery: a socket comes back on another session, with its id, rooms, state and what it missed; or the client is told
//! that it did not.
use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use backplane::{Change, Condition, Error};
use engineio::CloseReason;
use router::DisconnectReason;
use serde::{Deserialize, Serialize};
use socketio::RecoveryClaim;
use tokio::sync::oneshot;

use crate::{
    AppEntry, Hub, Verified, ids,
    record::{Record, bucket},
    socket::{Phase, Socket},
    state::{SessionKey, SocketKey, State, Task},
};

/// A record and the revision it was read at.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claimed {
    pub(crate) record: Record,
    pub(crate) revision: u64,
}

/// What a home answers when another core wants its socket.
#[derive(Serialize, Deserialize)]
pub(crate) enum Released {
    Yes(Box<Claimed>),
    /// It is being taken over or leaving: ask again.
    Busy,
    Unknown,
}

/// How often a busy socket is asked for, and how long apart: a take-over waits for a call to end, which has a limit.
const RELEASE_TRIES: u32 = 400;
const RELEASE_PAUSE: Duration = Duration::from_millis(25);
/// By then it is clear who has a socket: an answer takes 5 s at most.
const CLEAR_AFTER: Duration = Duration::from_secs(6);

impl Hub {
    /// Brings a socket back; `by_token`: its client may not know what it has received. False if it cannot be: the client
    /// joins anew and is told so by a new id. Where that cannot be known now, since the backplane does not answer, the
    /// connection is closed: a client comes again by itself, and is not told that it lost what it may have.
    pub(crate) async fn recover(
        &self,
        session: SessionKey,
        app: &Rc<AppEntry>,
        namespace: &Arc<str>,
        claim: &RecoveryClaim,
        by_token: bool,
        verified: Option<&Verified>,
    ) -> bool {
        let Some((secret, id)) = ids::parse_pid(&claim.pid) else {
            return false;
        };
        // A secret that somebody else got hold of does not make them whom it was made for.
        let subject = verified.map(|verified| &verified.subject);
        let is_theirs = |record: &Record| {
            *record.namespace == **namespace
                && ids::same_secret(&record.secret, &secret)
                && (app.settings.auth.is_none() || record.subject.as_ref() == subject)
        };
        let claimed = match self.claim(session, app, &id, is_theirs).await {
            Ok(Some(claimed)) => claimed,
            Ok(None) => {
                self.with(|state, _| state.line(&app.name).stats.not_recovered += 1);
                return false;
            }
            Err(error) => {
                self.send_away(session, &error);
                return true;
            }
        };
        let progress = &claimed.record.progress;
        let resumed = match &claim.offset {
            // A client that knows recovery and has no offset has received nothing.
            None if by_token => progress.resume_unsaid(),
            offset => progress.resume(offset.as_deref()),
        };
        let key = self.install(session, app, &id, claimed);
        self.with(|state, now| state.identify(key, verified, now));
        let replayed = match resumed {
            Some(from) => self.replay(session, key, app, from).await,
            None => Ok(false),
        };
        self.with(|state, now| {
            let stats = &mut state.line(&app.name).stats;
            stats.recovered += u64::from(replayed == Ok(true));
            stats.not_recovered += u64::from(replayed == Ok(false));
            if replayed == Ok(false) && state.sessions.contains_key(session) {
                // What was missed cannot be told: the old socket ends here, and has no part in the session any more, whose
                // client joins its namespace anew.
                state.part(session, key);
                state.farewell(key, DisconnectReason::RecoveryExpired);
            } else if let (Some(Phase::Replaying { .. }), Some(recovery)) = (
                state.sockets.get(key).map(|socket| socket.phase),
                app.settings.recovery,
            ) {
                // Nobody is there to be told, or what to tell is not known: the client may come again.
                state.part(session, key);
                state.put_away(key, now + recovery.window, DisconnectReason::TransportError);
            }
        });
        replayed.unwrap_or_else(|error| {
            self.send_away(session, &error);
            true
        })
    }

    /// Closes a connection whose client is to come again. Stock clients do so by themselves after that, and not after a
    /// CONNECT_ERROR.
    pub(crate) fn send_away(&self, session: SessionKey, error: &Error) {
        tracing::warn!(%error, "what a client needs cannot be known now: it is to come again");
        self.with(|state, now| {
            if let Some(session) = state.sessions.get_mut(session) {
                session.close(CloseReason::TransportError, now);
            }
            state.settle(session, now);
        });
    }

    /// Takes a socket from its home, whoever that is, and makes this core its home. A client that did not wait for that has
    /// the socket elsewhere by now, perhaps: it is not taken for a session that is over.
    async fn claim(
        &self,
        session: SessionKey,
        app: &Rc<AppEntry>,
        id: &Arc<str>,
        is_theirs: impl Fn(&Record) -> bool,
    ) -> Result<Option<Claimed>, Error> {
        let waits = || self.with(|state, _| state.sessions.contains_key(session));
        for _ in 0..RELEASE_TRIES {
            let Some(value) = self.0.backplane.get(&bucket(&app.name), id).await? else {
                return Ok(None);
            };
            let Some(mut record) = Record::decode(&value.bytes) else {
                return Ok(None);
            };
            if !is_theirs(&record) {
                return Ok(None);
            }
            // The app may have been told that it is gone.
            if record.ending.is_some() {
                return Ok(None);
            }
            let mut revision = value.revision;
            if !waits() {
                return Ok(None);
            }
            match self.ask_home(&app.name, &record, id).await? {
                Some(Released::Yes(fresh)) => (record, revision) = (fresh.record, fresh.revision),
                // Unknown there, but its record stands: on its way to another core, or about to be forgotten.
                Some(Released::Busy | Released::Unknown) => {
                    tokio::time::sleep(RELEASE_PAUSE).await;
                    continue;
                }
                None => {}
            }
            record.home = self.0.home;
            let change = Change {
                key: id.to_string(),
                value: Some(record.encode()),
                condition: Condition::Revision(revision),
            };
            match self.0.backplane.write(&bucket(&app.name), vec![change]).await {
                Ok(revisions) => {
                    let revision = revisions.first().copied();
                    return Ok(revision.map(|revision| Claimed { record, revision }));
                }
                Err(Error::Conflict { .. }) => {}
                Err(error) => {
                    tracing::warn!(app = %app.name, %error, "a socket could not be taken over");
                    crate::tasks::spawn_local(self.clone().look_after(app.clone(), id.clone()));
                    return Err(error);
                }
            }
        }
        Err(Error::Unavailable("its home does not give it up".into()))
    }

    /// Asks a socket's home to give it up. `None` if the home is dead, or as good as: then whoever writes the record at its
    /// revision has the socket, and the old home, should it come back to life, finds that it has not.
    async fn ask_home(
        &self,
        app: &Arc<str>,
        record: &Record,
        id: &Arc<str>,
    ) -> Result<Option<Released>, Error> {
        let (shards, home) = (&self.0.shards, record.home);
        let (app, namespace, id) = (app.clone(), record.namespace.clone(), id.clone());
        if home.incarnation == self.0.home.incarnation {
            return Ok(Some(shards.release(home.shard, app, namespace, id).await));
        }
        let Some(node) = shards.nodes().find(home.incarnation).await? else {
            return Ok(None);
        };
        let name = node.name.clone();
        match shards.release_there(node, home.shard, app, namespace, id).await {
            Ok(released) => Ok(Some(released)),
            Err(error) => {
                tracing::debug!(node = %name, %error, "a socket is taken from a node that does not answer");
                Ok(None)
            }
        }
    }

    /// Gives a socket up to another core: its connection, if it has one, is a zombie and closed; what it has begun ends.
    pub(crate) async fn release(&self, app: &Arc<str>, namespace: &str, id: &str) -> Released {
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
            if socket.busy || socket.pending.jobs() > 0 {
                socket.pending.wait_for_idle(send);
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
        let released = self.with(|state, _| {
            let socket = state.remove_socket(key)?;
            let revision = socket.saved.revision?;
            let record = socket.record(self.0.home);
            Some((socket.app, Claimed { record, revision }))
        });
        let Some((app, claimed)) = released else {
            return Released::Unknown;
        };
        if self.0.shards.nodes().is_cluster() {
            let id = id.into();
            crate::tasks::spawn_local(self.clone().look_after(app, id));
        }
        Released::Yes(Box::new(claimed))
    }

    /// Whether a socket changed hands may not be known: an answer was lost, or could not be acted on, or a write that
    /// failed was stored all the same. If its record says that it is ours, and nothing here has it, it is taken in: nobody
    /// else would ever see it leave.
    pub(crate) async fn look_after(self, app: Rc<AppEntry>, id: Arc<str>) {
        tokio::time::sleep(CLEAR_AFTER).await;
        let value = loop {
            match self.0.backplane.get(&bucket(&app.name), &id).await {
                Ok(value) => break value,
                Err(_) => tokio::time::sleep(CLEAR_AFTER).await,
            }
        };
        let Some(value) = value else { return };
        let Some(record) = Record::decode(&value.bytes).filter(|record| record.home == self.0.home) else {
            return;
        };
        let log_lost = self.is_log_lost(&app.name, record.progress.epoch).await;
        let known = self.with(|state, _| state.sockets.values().any(|socket| socket.id == id));
        if !known {
            let revision = value.revision;
            self.take_in(&app, log_lost, &id, Claimed { record, revision });
        }
    }

    /// Makes a claimed socket a socket of this core, catching up.
    fn install(&self, session: SessionKey, app: &Rc<AppEntry>, id: &Arc<str>, claimed: Claimed) -> SocketKey {
        self.with(|state, now| {
            let key = install(state, app, id, claimed, Phase::Replaying { session }, now);
            if let Some(session) = state.sessions.get_mut(session) {
                session.sockets.push(key);
            }
            key
        })
    }
}

pub(crate) fn install(
    state: &mut State,
    app: &Rc<AppEntry>,
    id: &Arc<str>,
    claimed: Claimed,
    phase: Phase,
    now: Instant,
) -> SocketKey {
    let Claimed { record, revision } = claimed;
    // A copy from before another node took the socket over, which has not noticed yet: found later, its end would be
    // this one's.
    if let Some(stale) = state.line(&app.name).members.socket(&record.namespace, id) {
        state.evict(stale, now);
    }
    let mut socket = Socket::restored(app.clone(), id.clone(), record, phase);
    socket.saved.revision = Some(revision);
    let (namespace, stays) = (socket.namespace.clone(), socket.stays.clone());
    let key = state.add_socket(socket);
    let members = &mut state.line(&app.name).members;
    members.insert(&namespace, id.clone(), key);
    stays.rooms().for_each(|room| members.join(&namespace, key, room));
    key
}
