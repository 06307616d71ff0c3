use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use socketio::EventData;

use crate::Target;

/// A room's name: 1 to 256 bytes of UTF-8. Cloning shares.
pub type Room = Arc<str>;

/// Identity of a log: changes when a log was lost, so that positions in the lost one are not taken for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u32);

/// A place in an app's log. Offsets grow by at least one an entry; 0 is before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    pub epoch: Epoch,
    pub offset: u64,
}

/// One act on sockets on its way to them: an entry of an app's log, and what nodes tell each other.
///
/// Membership changes that concern other sockets than the call's own travel in the log too, so that every node
/// sees them in the same order as the emits around them. Cloning shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub target: Target,
    pub action: Action,
}

/// What happens to the sockets of a [`Delivery`]'s target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Emit(EventData),
    Join(Vec<Room>),
    Leave(Vec<Room>),
    /// Leaves the namespace, or (`close`) closes the whole connection.
    Disconnect {
        close: bool,
    },
    /// An emit that asks one socket for an answer; `token` comes back with it. Not replayed.
    EmitWithAck {
        data: EventData,
        token: Arc<str>,
        timeout_ms: u32,
    },
    /// An emit that asks every connected socket for an answer. Not replayed.
    EmitWithAcks {
        data: EventData,
        reply_to: ReplyTo,
        timeout_ms: u32,
    },
}

/// The core that waits for the answers of an [`Action::EmitWithAcks`], and which of its requests they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTo {
    pub incarnation: u64,
    pub shard: u16,
    pub request: u64,
}

impl Position {
    /// The position as clients keep it (the `offset` of connection state recovery): `{epoch:x}-{offset:x}`.
    pub fn token(&self) -> String {
        self.to_string()
    }

    /// Reads a [`token`](Self::token) that a client sent. Only the text that `token` writes is taken: lower-case
    /// digits, no sign, no leading zeros, so at most 8 + 1 + 16 bytes. Anything else is `None`.
    pub fn parse(token: &str) -> Option<Self> {
        let (epoch, offset) = token.split_once('-')?;
        let epoch = u32::try_from(parse_hex(epoch, 8)?).ok()?;
        let offset = parse_hex(offset, 16)?;
        Some(Self {
            epoch: Epoch(epoch),
            offset,
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.epoch.0, self.offset)
    }
}

/// `from_str_radix` takes a sign and any number of zeros: checked away before.
fn parse_hex(digits: &str, digits_max: usize) -> Option<u64> {
    let canonical = digits.len() <= digits_max
        && (digits == "0" || !digits.starts_with('0'))
        && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if canonical {
        u64::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}
