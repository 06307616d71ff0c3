use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

/// What one reader has yet to read, bounded in items and bytes. The bound is a mark, not a wall: whoever pushes asks
/// [`has_room`](Self::has_room) first and overshoots by what it pushes at once.
pub(crate) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    items_max: usize,
    bytes_max: usize,
}

struct Inner<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    /// The reader, when it waits for an item.
    reader: Option<Waker>,
    /// A writer found no room and waits to be told of some. Cleared when it is told.
    starved: bool,
    closed: bool,
}

/// What the reader took, and whether writers are to be told that there is room again.
pub(crate) struct Popped<T> {
    pub(crate) item: T,
    pub(crate) relieved: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(items_max: usize, bytes_max: usize) -> Self {
        let inner = Inner {
            items: VecDeque::new(),
            bytes: 0,
            reader: None,
            starved: false,
            closed: false,
        };
        Self {
            inner: Mutex::new(inner),
            items_max,
            bytes_max,
        }
    }

    /// Whether a writer may push. After `false`, a later [`Popped::relieved`] tells of room.
    pub(crate) fn has_room(&self) -> bool {
        let mut inner = self.inner.lock();
        let room = inner.items.len() < self.items_max && inner.bytes < self.bytes_max;
        inner.starved |= !room;
        room
    }

    /// The reader to wake, once the caller has left its locks.
    #[must_use]
    pub(crate) fn push(&self, item: T, bytes: usize) -> Option<Waker> {
        let mut inner = self.inner.lock();
        inner.items.push_back((item, bytes));
        inner.bytes += bytes;
        inner.reader.take()
    }

    /// `None` when closed and empty.
    pub(crate) fn poll_pop(&self, cx: &Context<'_>) -> Poll<Option<Popped<T>>> {
        let mut inner = self.inner.lock();
        let Some((item, bytes)) = inner.items.pop_front() else {
            if inner.closed {
                return Poll::Ready(None);
            }
            match &mut inner.reader {
                Some(reader) => reader.clone_from(cx.waker()),
                reader => *reader = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        };
        inner.bytes -= bytes;
        // Half empty, not one item short of full: a wake-up buys a writer many pushes.
        let low = inner.items.len() <= self.items_max / 2 && inner.bytes <= self.bytes_max / 2;
        let relieved = low && std::mem::take(&mut inner.starved);
        Poll::Ready(Some(Popped { item, relieved }))
    }

    /// Nothing follows what is queued. The reader to wake.
    #[must_use]
    pub(crate) fn close(&self) -> Option<Waker> {
        let mut inner = self.inner.lock();
        inner.closed = true;
        inner.reader.take()
    }
}
