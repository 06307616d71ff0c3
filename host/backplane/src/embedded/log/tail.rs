use std::{
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
};

use futures_util::Stream;

use super::{Followed, Log, TailId};
use crate::{Bounds, Queue, Tail};

/// Everything appended after this call, in order.
pub(super) fn follow(log: &Arc<Log>) -> Tail {
    let queue = Arc::new(Queue::new(TAIL));
    let mut state = log.state.lock();
    state.tails_made += 1;
    let id = state.tails_made;
    state.tails.push((id, Arc::clone(&queue)));
    let steps = Box::pin(Following {
        id,
        queue,
        log: Arc::downgrade(log),
    });
    Tail {
        start: state.kept.head(),
        steps,
    }
}

/// The reader's end. Weak, so that a forgotten tail does not keep the data directory locked.
struct Following {
    id: TailId,
    queue: Arc<Queue<Followed>>,
    log: Weak<Log>,
}

impl Stream for Following {
    type Item = Followed;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Followed>> {
        let Some(popped) = ready!(self.queue.poll_pop(cx)) else {
            return Poll::Ready(None);
        };
        if popped.relieved
            && let Some(log) = self.log.upgrade()
        {
            log.wake_next();
        }
        Poll::Ready(Some(popped.item))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(log) = self.log.upgrade() {
            log.state.lock().tails.retain(|(id, _)| *id != self.id);
            log.wake_next();
        }
    }
}

/// Entries are shared with the log's window: a full queue costs 40 bytes an entry, and holds at most
/// 8 MiB of packets that may have left the window.
const TAIL: Bounds = Bounds {
    items_max: 4096,
    bytes_max: 8 << 20,
};
