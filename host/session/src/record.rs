//! What is stored of a socket so that it can be recovered elsewhere: written as it changes, not when it leaves, since a
//! dead node cannot write.
use std::sync::Arc;

use bytes::Bytes;
use router::{DisconnectReason, Epoch, Position, Stays};
use serde::{Deserialize, Serialize};

use crate::ids::Secret;

/// A socket as stored under its id in the app's bucket of sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) home: Home,
    pub(crate) namespace: Arc<str>,
    pub(crate) secret: Secret,
    pub(crate) stays: Stays,
    pub(crate) state: Bytes,
    /// The version of the app that wrote it.
    pub(crate) state_version: u32,
    pub(crate) progress: Progress,
    /// Key of the token that stands for it, if its client showed one.
    pub(crate) token: Option<Arc<str>>,
    /// Its end is being told to the app, which may know of it already: from then on nobody recovers it.
    pub(crate) ending: Option<DisconnectReason>,
    /// Whom it belongs to, where the app asks for that; see [`crate::Verified`].
    pub(crate) subject: Option<Arc<str>>,
}

/// The process and core that owns a socket. Only its home may write its record; taking over means writing a new home
/// at the record's revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Home {
    /// Drawn at start: a restarted process is another home.
    pub(crate) incarnation: u64,
    pub(crate) shard: u16,
}

/// How far a socket has come in its app's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) epoch: Epoch,
    /// Where it joined: nothing before was meant for it.
    pub(crate) born: u64,
    /// The last offset that it was told, 0 if none yet.
    pub(crate) sent: u64,
    /// Of the entries after `sent` and up to here, none was meant for it.
    pub(crate) through: u64,
    /// The last offset that it is known to have received: it was told before a ping that the client answered.
    pub(crate) confirmed: u64,
    /// Of the entries after `confirmed` and up to here, none was meant for it: where the log stood at that ping.
    pub(crate) quiet: u64,
    /// Rooms that it left up to here may be forgotten: what it missed before cannot be told.
    pub(crate) forgotten: u64,
}

impl Progress {
    /// After which entry a client goes on that says it has received up to `offset` (`None`: it never received an event).
    /// `None` if that cannot be known without a gap.
    ///
    /// A client that has all that it was told goes on at `through`, which is fresher than its offset: so one that
    /// was idle for hours recovers although its offset has left the log. One that has all but what it was told since its
    /// last pong goes on at `quiet`, for the same reason.
    pub(crate) fn resume(&self, offset: Option<&str>) -> Option<Position> {
        let received = match offset {
            None => 0,
            Some(token) => {
                let position = Position::parse(token)?;
                // Of a log that was lost before this socket joined: what came since is all that is new to it.
                if position.epoch == self.epoch {
                    position.offset
                } else {
                    0
                }
            }
        };
        let offset = match received {
            // Also what an earlier socket of the client received: stock clients keep that offset.
            _ if received < self.born || received == 0 => self.unreceived(),
            _ if received == self.sent => self.through.max(received),
            _ if received == self.confirmed => self.quiet.max(received),
            _ => received,
        };
        self.at(offset)
    }

    /// Where it goes on if it has received nothing.
    fn unreceived(&self) -> u64 {
        match self {
            Self { sent: 0, .. } => self.through,
            Self { confirmed: 0, .. } => self.quiet,
            _ => self.born,
        }
    }

    fn at(&self, offset: u64) -> Option<Position> {
        (offset >= self.forgotten).then_some(Position {
            epoch: self.epoch,
            offset,
        })
    }
}

impl Progress {
    /// Where nothing was told yet, and nothing before was meant for it.
    pub(crate) fn born_at((epoch, offset): (Epoch, u64)) -> Self {
        Self {
            epoch,
            born: offset,
            sent: 0,
            through: offset,
            confirmed: 0,
            quiet: offset,
            forgotten: 0,
        }
    }

    /// The same for a client that cannot say what it has received: what it has is sent again rather than missed.
    pub(crate) fn resume_unsaid(&self) -> Option<Position> {
        self.at(if self.confirmed == self.sent {
            self.through
        } else {
            self.quiet
        })
    }
}

impl Record {
    pub(crate) fn encode(&self) -> Bytes {
        // Plain data into memory: nothing there can fail.
        let room = Vec::with_capacity(MOSTLY_BYTES);
        postcard::to_extend(&(FORMAT, self), room)
            .unwrap_or_default()
            .into()
    }

    /// `None` if the bytes are of another format: as if there were no record.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (format, rest) = postcard::take_from_bytes::<u8>(bytes).ok()?;
        if format != FORMAT {
            return None;
        }
        postcard::from_bytes(rest).ok()
    }
}

/// The bucket of an app's socket records.
pub(crate) fn bucket(app: &str) -> String {
    ["sessions:", app].concat()
}

/// Enough for a socket in a few rooms, without state.
const MOSTLY_BYTES: usize = 128;

/// First byte of a stored record.
const FORMAT: u8 = 6;

#[cfg(test)]
mod tests;
