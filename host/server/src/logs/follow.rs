use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{self, error::TryRecvError};

use super::{LogBook, LogLevel, LogLine, Origin, level};

/// Which lines of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// Of calls for this socket only.
    pub(crate) socket: Option<String>,
    /// This level and above.
    #[serde(with = "level")]
    pub(crate) level: LogLevel,
    pub(crate) origin: Option<Origin>,
}

impl Filter {
    pub(crate) const ALL: Self = Self {
        socket: None,
        level: LogLevel::Trace,
        origin: None,
    };

    pub(crate) fn passes(&self, line: &LogLine) -> bool {
        line.level >= self.level
            && self.origin.is_none_or(|origin| origin == line.origin)
            && (self.socket.is_none() || self.socket == line.socket)
    }
}

/// What a follower hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Line(Arc<LogLine>),
    /// It was too slow: so many lines are missing here.
    Missed(u64),
}

/// As many follow an app as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} follow this app's log on this node already: as many as may; end one of them")]
pub(crate) struct TooMany(pub(super) usize);

/// One who follows, as who writes sees it.
pub(super) struct Follower {
    pub(super) id: usize,
    filter: Filter,
    line: Mutex<Line>,
}

/// Held only to offer a line.
struct Line {
    /// `None`: ended from this side.
    queue: Option<mpsc::Sender<Heard>>,
    missed: u64,
}

/// Lines that may wait for one who follows.
const QUEUE_MAX: usize = 256;

impl Follower {
    pub(super) fn new(id: usize, filter: Filter) -> (Self, mpsc::Receiver<Heard>) {
        let (queue, lines) = mpsc::channel(QUEUE_MAX);
        let line = Mutex::new(Line {
            queue: Some(queue),
            missed: 0,
        });
        (Self { id, filter, line }, lines)
    }

    /// Never waits: what finds the queue full is counted, and told where it is missing.
    pub(super) fn offer(&self, line: &Arc<LogLine>) {
        if !self.filter.passes(line) {
            return;
        }
        let mut to = self.line.lock();
        let missed = to.missed;
        let Some(queue) = &to.queue else { return };
        if missed > 0 && queue.try_send(Heard::Missed(missed)).is_ok() {
            to.missed = 0;
        }
        let Some(queue) = &to.queue else { return };
        if to.missed > 0 || queue.try_send(Heard::Line(Arc::clone(line))).is_err() {
            to.missed += 1;
        }
    }

    pub(super) fn end(&self) {
        self.line.lock().queue = None;
    }

    fn take_missed(&self) -> u64 {
        std::mem::take(&mut self.line.lock().missed)
    }
}

/// Lines of one app on this node, as they are written. Dropping it ends that.
pub(crate) struct Follow {
    book: Arc<LogBook>,
    app: Arc<str>,
    follower: Arc<Follower>,
    lines: mpsc::Receiver<Heard>,
}

impl Follow {
    pub(super) fn new(
        book: Arc<LogBook>,
        app: Arc<str>,
        follower: Arc<Follower>,
        lines: mpsc::Receiver<Heard>,
    ) -> Self {
        Self {
            book,
            app,
            follower,
            lines,
        }
    }

    /// The next line. `None`: the app is gone. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        match self.waiting() {
            Some(heard) => Some(heard),
            None => self.lines.recv().await,
        }
    }

    /// What waits already.
    pub(super) fn waiting(&mut self) -> Option<Heard> {
        match self.lines.try_recv() {
            Ok(heard) => Some(heard),
            // What is missing after the last line that had room, if nothing was said since.
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => match self.follower.take_missed() {
                0 => None,
                missed => Some(Heard::Missed(missed)),
            },
        }
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.book.unfollow(&self.app, self.follower.id);
    }
}
