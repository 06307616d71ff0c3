use std::{rc::Rc, sync::Arc, time::Instant};

use bytes::Bytes;
use compact::Moment;
use router::{AckOutcome, DisconnectReason, SocketView, Stays};
use socketio::EventData;

use crate::{
    AppEntry,
    identity::Identity,
    ids::Secret,
    pending::Pending,
    record::{Progress, Record},
    state::SessionKey,
};

/// One namespace joined: it outlives its session by the recovery window.
pub(crate) struct Socket {
    pub(crate) app: Rc<AppEntry>,
    pub(crate) id: Arc<str>,
    pub(crate) namespace: Arc<str>,
    /// Proves a recovery.
    pub(crate) secret: Secret,
    pub(crate) stays: Stays,
    /// What the app has it remember, and the version of the app that wrote it. Boxed: many apps do not.
    state: Option<Box<(Bytes, u32)>>,
    pub(crate) phase: Phase,
    pub(crate) progress: Progress,
    /// `progress.sent` when its client was last pinged, and where the log stood then.
    pub(crate) pinged: (u64, u64),
    /// See [`Record::token`].
    pub(crate) token: Option<Arc<str>>,
    /// See [`Record::ending`].
    pub(crate) ending: Option<DisconnectReason>,
    /// `None`: the app does not ask, or the client need not say.
    pub(crate) identity: Option<Box<Identity>>,
    pub(crate) pending: Pending,
    /// Whether a task works through its jobs now: one at a time.
    pub(crate) busy: bool,
    pub(crate) next_ask: u64,
    /// The offset of the last entry that this socket's handlers appended: acks wait for its delivery.
    pub(crate) barrier: u64,
    pub(crate) saved: Saved,
}

/// Where a socket stands. The transitions are in `connect`, `recover` and `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `handle-connect` runs; the client waits.
    Connecting { session: SessionKey },
    /// Live: deliveries go out.
    Live { session: SessionKey },
    /// Recovered, and catching up with the log; live deliveries are left to the replay.
    Replaying { session: SessionKey },
    /// Without a session; comes back by `until`, or is gone.
    Away { until: Moment, reason: DisconnectReason },
    /// Its session ended while it was connecting.
    Orphaned,
    /// On its way out: to another core, or for good.
    Leaving,
}

/// What a socket's handler is to be called for.
pub(crate) enum Job {
    Event { data: EventData, ack: Option<u64> },
    Ack { token: Arc<str>, outcome: AckOutcome },
    Disconnect(DisconnectReason),
}

/// An emit that asked for an answer.
pub(crate) struct Asked {
    pub(crate) id: u64,
    pub(crate) asker: Asker,
    pub(crate) due: Instant,
}

/// Whom the answer is for.
#[derive(Clone, Debug)]
pub(crate) enum Asker {
    /// The socket's own handler, with the token that an earlier call chose.
    Handler(Arc<str>),
    /// A request of this core, see [`crate::collect`].
    Gathering(u64),
}

/// How the stored record stands to the socket.
#[derive(Default)]
pub(crate) struct Saved {
    /// Of the record in the backplane; `None` before the first write.
    pub(crate) revision: Option<u64>,
    /// Counts wishes to be saved, and those that are fulfilled.
    pub(crate) wanted: u64,
    pub(crate) done: u64,
    pub(crate) writing: bool,
    /// `progress.through` as stored, and when: a record whose position ages out of the log is written anew.
    pub(crate) through: u64,
    pub(crate) at: Option<Moment>,
}

impl Socket {
    pub(crate) fn new(
        app: Rc<AppEntry>,
        namespace: Arc<str>,
        session: SessionKey,
        progress: Progress,
    ) -> Self {
        Self {
            app,
            id: crate::ids::new_socket_id(),
            namespace,
            secret: crate::ids::new_secret(),
            stays: Stays::default(),
            state: None,
            phase: Phase::Connecting { session },
            pinged: (progress.confirmed, progress.quiet),
            token: None,
            ending: None,
            identity: None,
            progress,
            pending: Pending::default(),
            // The connect call is running.
            busy: true,
            next_ask: 0,
            barrier: 0,
            saved: Saved::default(),
        }
    }

    /// A socket as its record has it.
    pub(crate) fn restored(app: Rc<AppEntry>, id: Arc<str>, record: Record, phase: Phase) -> Self {
        let mut socket = Self {
            app,
            id,
            namespace: record.namespace,
            secret: record.secret,
            stays: record.stays,
            state: None,
            phase,
            pinged: (record.progress.confirmed, record.progress.quiet),
            token: record.token,
            ending: record.ending,
            identity: record.subject.map(Identity::away).map(Box::new),
            progress: record.progress,
            pending: Pending::default(),
            busy: false,
            next_ask: 0,
            barrier: 0,
            saved: Saved {
                through: record.progress.through,
                ..Saved::default()
            },
        };
        socket.set_state(Some(record.state), Some(record.state_version));
        socket
    }

    pub(crate) fn state(&self) -> Bytes {
        self.state
            .as_ref()
            .map_or_else(Bytes::new, |state| state.0.clone())
    }

    pub(crate) fn state_version(&self) -> u32 {
        self.state.as_ref().map_or(0, |state| state.1)
    }

    /// `None`: as it was.
    pub(crate) fn set_state(&mut self, bytes: Option<Bytes>, version: Option<u32>) {
        let bytes = bytes.unwrap_or_else(|| self.state());
        let version = version.unwrap_or_else(|| self.state_version());
        let is_there = !bytes.is_empty() || version != 0;
        self.state = is_there.then(|| Box::new((bytes, version)));
    }

    /// The session that carries it, if there is one.
    pub(crate) fn session(&self) -> Option<SessionKey> {
        match self.phase {
            Phase::Connecting { session } | Phase::Live { session } | Phase::Replaying { session } => {
                Some(session)
            }
            Phase::Away { .. } | Phase::Orphaned | Phase::Leaving => None,
        }
    }

    pub(crate) fn is_raw(&self) -> bool {
        self.namespace.starts_with("raw:")
    }

    /// Whether it has a record and may come back.
    pub(crate) fn is_recoverable(&self) -> bool {
        self.app.settings.recovery.is_some() && !self.is_raw()
    }

    pub(crate) fn view(&self) -> SocketView {
        // In one allocation: it is made for every call.
        let mut rooms = Vec::with_capacity(1 + self.stays.rooms().count());
        rooms.push(self.id.clone());
        rooms.extend(self.stays.rooms().cloned());
        SocketView {
            id: self.id.clone(),
            namespace: self.namespace.clone(),
            rooms,
            state: self.state(),
            state_version: self.state_version(),
        }
    }

    pub(crate) fn subject(&self) -> Option<&Arc<str>> {
        self.identity.as_ref().map(|identity| &identity.subject)
    }

    /// Whether its client's token, if it needs one, is still good.
    pub(crate) fn may_speak(&self, now: Instant) -> bool {
        let speaks = self.identity.as_ref().and_then(|identity| identity.speaks);
        speaks.is_none_or(|speaks| now < speaks.until)
    }

    /// When it is to be disconnected for want of a new token.
    pub(crate) fn expiry(&self) -> Option<Instant> {
        let speaks = self.identity.as_ref()?.speaks?;
        matches!(self.phase, Phase::Live { .. }).then_some(speaks.ends)
    }

    /// The next instant at which something of this socket is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        let away = match self.phase {
            Phase::Away { until, .. } => Some(until.into()),
            _ => None,
        };
        let due = [self.pending.asked_until(), self.expiry(), away];
        due.into_iter().flatten().min()
    }
}
