use std::{collections::BTreeSet, time::Instant};

use compact::Moment;

use crate::state::{SessionKey, SocketKey};

/// Whose clock rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKey {
    /// Heartbeat, upgrade or connect time-out of a session.
    Session(SessionKey),
    /// A connection that is held back may be read again.
    Reading(SessionKey),
    /// Recovery window or outstanding acks of a socket.
    Socket(SocketKey),
    /// An emit to many: at who asked, and at who was asked.
    Collecting(u64),
    Gathering(u64),
}

/// All timers of a core, in one place, so that a session costs an entry here and no timer of the runtime.
///
/// Entries are never cancelled: who is woken too early looks at its own state and arms again. An entry of
/// someone who is gone finds nobody.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    entries: BTreeSet<(Moment, TimerKey)>,
}

impl Timers {
    /// Arms a timer. Answers whether it is now the first to ring.
    pub(crate) fn arm(&mut self, due: Moment, key: TimerKey) -> bool {
        self.entries.insert((due, key));
        self.entries.first().is_some_and(|(first, _)| *first == due)
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.entries.first().map(|(due, _)| (*due).into())
    }

    /// Takes one timer that is due.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<TimerKey> {
        if self.entries.first()?.0 > now.into() {
            return None;
        }
        self.entries.pop_first().map(|(_, key)| key)
    }
}
