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

/// One emit on its way to sockets: what the log keeps and what nodes tell each other. Cloning shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub target: Target,
    pub data: EventData,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.epoch.0, self.offset)
    }
}
