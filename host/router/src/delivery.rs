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
    Disconnect { close: bool },
    /// An emit that asks one socket for an answer; `token` comes back with it. Not replayed.
    EmitWithAck { data: EventData, token: Arc<str>, timeout_ms: u32 },
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.epoch.0, self.offset)
    }
}
