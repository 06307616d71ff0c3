//! An app on one core: who is in which room, and how far its log has been read.
use std::{collections::BTreeMap, sync::Arc};

use router::{Epoch, Membership};
use rustc_hash::FxHashMap;
use slotmap::{SlotMap, new_key_type};
use socketio::EventData;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    rates::{Intake, Sent},
    state::{AppStats, SocketKey},
};

/// The lines of one core, by their apps' names. Asked several times an event, nearly always for the app that was asked for
/// last, by the very same text: that is found without looking at the text.
#[derive(Default)]
pub(crate) struct Lines {
    all: SlotMap<LineKey, Line>,
    /// The names are of apps that exist, not of clients' choosing.
    names: FxHashMap<Arc<str>, LineKey>,
    /// The line that was found last, and where the name is that it is kept under.
    last: Option<(usize, LineKey)>,
}

new_key_type! {
    struct LineKey;
}

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
    /// Recoveries, and who asks for sockets, that wait until the log has been read up to an offset.
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
        /// Entries up to here have been delivered on this core. It may be beyond the last of them.
        processed: u64,
    },
}

pub(crate) struct DeferredAck {
    pub(crate) socket: SocketKey,
    pub(crate) id: u64,
    pub(crate) data: EventData,
}

impl Lines {
    pub(crate) fn get(&self, app: &Arc<str>) -> Option<&Line> {
        let key = match self.last {
            Some((place, key)) if place == place_of(app) => key,
            _ => *self.names.get(app)?,
        };
        self.all.get(key)
    }

    pub(crate) fn get_mut(&mut self, app: &Arc<str>) -> Option<&mut Line> {
        let key = match self.last {
            Some((place, key)) if place == place_of(app) => key,
            _ => self.find(app)?,
        };
        self.all.get_mut(key)
    }

    /// The app's line, made if need be.
    pub(crate) fn of(&mut self, app: &Arc<str>) -> &mut Line {
        let known = match self.last {
            Some((place, key)) if place == place_of(app) => Some(key),
            _ => self.find(app),
        };
        let key = known.unwrap_or_else(|| {
            let key = self.all.insert(Line::default());
            self.names.insert(Arc::clone(app), key);
            key
        });
        match self.all.get_mut(key) {
            Some(line) => line,
            None => unreachable!("a name leads to a line"),
        }
    }

    pub(crate) fn remove(&mut self, app: &Arc<str>) -> Option<Line> {
        // The name goes with the line, and another may come to be where it was.
        self.last = None;
        let key = self.names.remove(app)?;
        self.all.remove(key)
    }

    fn find(&mut self, app: &Arc<str>) -> Option<LineKey> {
        let (name, key) = self.names.get_key_value(app)?;
        // Only by its own copy of the name: that one stays where it is for as long as the line lives.
        if Arc::ptr_eq(name, app) {
            self.last = Some((place_of(app), *key));
        }
        Some(*key)
    }
}

fn place_of(app: &Arc<str>) -> usize {
    Arc::as_ptr(app).cast::<u8>().addr()
}

impl Line {
    /// The epoch and the last offset delivered here. Only sockets ask, and those exist only on an open line.
    pub(crate) fn position(&self) -> (Epoch, u64) {
        match self.log {
            Log::Open { epoch, processed } => (epoch, processed),
            Log::Closed | Log::Opening(_) => (Epoch(0), 0),
        }
    }

    /// Waits until the log has been delivered up to `offset`, in company of those who still do.
    pub(crate) fn await_offset(&mut self, offset: u64) -> oneshot::Receiver<()> {
        let (send, reached) = oneshot::channel();
        self.reaching.retain(|(_, waiting)| !waiting.is_closed());
        self.reaching.push((offset, send));
        reached
    }

    /// Whether anybody waits for what the log brings.
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.deferred.is_empty() || self.reaching.iter().any(|(_, waiting)| !waiting.is_closed())
    }
}

#[cfg(test)]
mod tests;
