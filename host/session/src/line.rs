//! An app on one core: who is in which room, and how far its log has been read.
use std::collections::BTreeMap;

use router::{Epoch, Membership};
use socketio::EventData;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    rates::{Intake, Sent},
    state::{AppStats, SocketKey},
};

/// One app's line on this core: made when its first session opens, let go by [`crate::Hub::close_line`].
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) members: Membership<SocketKey>,
    /// Connections of the app on this core now.
    pub(crate) sessions: usize,
    /// Sockets of the app on this core, wherever they stand.
    pub(crate) sockets: usize,
    /// What its clients have sent lately, and what they were sent.
    pub(crate) intake: Intake,
    pub(crate) sent: Sent,
    pub(crate) log: Log,
    /// Acks that must not overtake emits of the same handler: sent once the offset was delivered.
    pub(crate) deferred: BTreeMap<u64, Vec<DeferredAck>>,
    /// Recoveries that wait until the log has been read up to an offset.
    pub(crate) reaching: Vec<(u64, oneshot::Sender<()>)>,
    pub(crate) stats: AppStats,
    /// What reads the log and takes sockets in; ends with the line.
    pub(crate) tasks: Vec<Running>,
}

/// A task that is ended when this is dropped.
pub(crate) struct Running(pub(crate) JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether the app's log is being read here.
#[derive(Default)]
pub(crate) enum Log {
    #[default]
    Closed,
    /// One task opens it; the others wait for that.
    Opening(Vec<oneshot::Sender<()>>),
    Open {
        epoch: Epoch,
        /// Entries up to here have been delivered on this core.
        processed: u64,
    },
}

pub(crate) struct DeferredAck {
    pub(crate) socket: SocketKey,
    pub(crate) id: u64,
    pub(crate) data: EventData,
}

impl Line {
    /// The epoch and the last offset delivered here. Only sockets ask, and those exist only on an open line.
    pub(crate) fn position(&self) -> (Epoch, u64) {
        match self.log {
            Log::Open { epoch, processed } => (epoch, processed),
            Log::Closed | Log::Opening(_) => (Epoch(0), 0),
        }
    }
}
