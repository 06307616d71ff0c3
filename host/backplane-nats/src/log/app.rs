use std::{
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker, ready},
};

use backplane::{Bounds, Error, Queue, Step, Tail, Window};
use futures_util::Stream;
use parking_lot::Mutex;
use router::{Delivery, Epoch, Position};
use tokio::sync::{Notify, OnceCell};

use super::{
    append::Appender,
    frame::{INDEX_MAX, end_of, offset},
    kept::{Entry, Kept, since},
};
use crate::feed::FedMessage;

/// One app's log as this node sees it.
pub(crate) struct App {
    pub(super) name: String,
    pub(super) subject: String,
    pub(super) partition: u16,
    pub(super) appender: Appender,
    /// Set when this node keeps the app's entries.
    pub(super) opened: OnceCell<()>,
    state: Mutex<State>,
    /// Some tail has room again, or is gone.
    room: Notify,
}

struct State {
    kept: Kept,
    /// Counts the times that entries were missed: what was looked up before belongs no longer.
    resets: u64,
    tails: Vec<(u64, Arc<Queue<Followed>>)>,
    tails_made: u64,
    /// Where tails were last told to be.
    told: u64,
}

type Followed = (Position, Step);

impl App {
    pub(super) fn new(name: &str, subject: String, partition: u16) -> Self {
        let state = State {
            kept: Kept::new(Window::INITIAL),
            resets: 0,
            tails: Vec::new(),
            tails_made: 0,
            told: 0,
        };
        Self {
            name: name.to_owned(),
            subject,
            partition,
            appender: Appender::default(),
            opened: OnceCell::new(),
            state: Mutex::new(state),
            room: Notify::new(),
        }
    }

    pub(super) fn window(&self) -> Window {
        self.state.lock().kept.window()
    }

    pub(super) fn set_window(&self, window: Window) {
        self.state.lock().kept.set_window(window);
    }

    pub(super) fn head(&self) -> Position {
        self.state.lock().kept.head()
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.state.lock().kept.epoch()
    }

    pub(super) fn since(&self, after: Position, max: usize) -> Result<Vec<(Position, Arc<Delivery>)>, Error> {
        self.state.lock().kept.since(after, max)
    }

    /// The reader keeps entries from here on. Answers what [`fill`](Self::fill) wants back.
    pub(super) fn begin(&self, epoch: Epoch, offset: u64) -> u64 {
        let mut state = self.state.lock();
        state.kept.reset(epoch, offset);
        state.resets += 1;
        state.resets
    }

    /// Entries from before it began. False if entries were missed meanwhile, so that they join to nothing.
    pub(super) fn fill(&self, begun: u64, older: Kept, began: u64) -> bool {
        let mut state = self.state.lock();
        if state.resets == begun {
            state.kept.prepend(older, began);
        }
        state.resets == begun
    }

    /// A message's entries, to memory and to every tail.
    pub(super) fn push(&self, message: &FedMessage, deliveries: &[Option<Arc<Delivery>>]) {
        let at = since(message.age);
        let mut wakers = Vec::new();
        let mut state = self.state.lock();
        for (index, delivery) in deliveries.iter().enumerate() {
            let Some(delivery) = delivery else { continue };
            let offset = offset(message.sequence, index);
            state.kept.push(Entry {
                offset,
                at,
                delivery: Arc::clone(delivery),
            });
            let position = state.kept.position(offset);
            wakers.extend(state.tell(
                position,
                &Step::Entry(Arc::clone(delivery)),
                delivery.size_estimate(),
            ));
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Entries up to `sequence` were missed, or the log is another.
    pub(super) fn gap(&self, epoch: Epoch, sequence: u64) {
        self.appender.forget();
        let mut state = self.state.lock();
        let after = end_of(sequence);
        state.kept.reset(epoch, after);
        state.resets += 1;
        state.told = 0;
        let position = state.kept.position(after);
        let wakers = state.tell(position, &Step::Gap, 0);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// There is nothing of this app up to `sequence` but what was told.
    pub(super) fn passed(&self, sequence: u64) {
        let mut state = self.state.lock();
        let position = state.kept.position(end_of(sequence));
        let full = state.tails.iter().any(|(_, queue)| !queue.has_room());
        if full || position.offset <= state.told || position.offset <= state.kept.head().offset | INDEX_MAX {
            return;
        }
        let wakers = state.tell(position, &Step::Passed, 0);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Drops what has grown too old, for apps that nobody reads.
    pub(super) fn sweep(&self) {
        self.state.lock().kept.trim(std::time::Instant::now());
    }

    /// Until every tail of this app has room. A tail that nobody reads holds up its app's appends of this node.
    pub(super) async fn until_room(&self) {
        loop {
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            if self.has_room() {
                return;
            }
            room.await;
        }
    }

    pub(super) fn has_room(&self) -> bool {
        let state = self.state.lock();
        // No short cut: each full queue is to tell when it has room.
        state.tails.iter().filter(|(_, queue)| !queue.has_room()).count() == 0
    }

    pub(super) fn tail(self: &Arc<Self>) -> Tail {
        let queue = Arc::new(Queue::new(TAIL));
        let mut state = self.state.lock();
        state.tails_made += 1;
        let id = state.tails_made;
        state.tails.push((id, Arc::clone(&queue)));
        let app = Arc::downgrade(self);
        Tail {
            start: state.kept.head(),
            steps: Box::pin(Following { id, queue, app }),
        }
    }

    /// Ends every tail, after what it has queued.
    pub(super) fn close(&self) {
        let tails = std::mem::take(&mut self.state.lock().tails);
        let wakers = tails.iter().filter_map(|(_, queue)| queue.close());
        wakers.for_each(Waker::wake);
        self.room.notify_waiters();
    }
}

impl State {
    /// The wakers are for after the lock.
    fn tell(&mut self, position: Position, step: &Step, bytes: usize) -> Vec<Waker> {
        self.told = self.told.max(position.offset);
        let tails = self.tails.iter();
        tails
            .filter_map(|(_, queue)| queue.push((position, step.clone()), bytes))
            .collect()
    }
}

/// The reader's end of a tail.
struct Following {
    id: u64,
    queue: Arc<Queue<Followed>>,
    app: Weak<App>,
}

impl Stream for Following {
    type Item = Followed;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Followed>> {
        let Some(popped) = ready!(self.queue.poll_pop(cx)) else {
            return Poll::Ready(None);
        };
        if popped.relieved
            && let Some(app) = self.app.upgrade()
        {
            app.room.notify_waiters();
        }
        Poll::Ready(Some(popped.item))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(app) = self.app.upgrade() {
            app.state.lock().tails.retain(|(id, _)| *id != self.id);
            app.room.notify_waiters();
        }
    }
}

/// Entries are shared with the window: a full queue costs 40 bytes a step, and holds at most 8 MiB of packets that
/// may have left the window.
const TAIL: Bounds = Bounds {
    items_max: 4096,
    bytes_max: 8 << 20,
};
