use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

/// What one reader has yet to read: many writers, one reader, bounded in items and bytes.
///
/// The bound is a mark, not a wall: whoever pushes asks [`has_room`](Self::has_room) first, and overshoots by at
/// most what it pushes at once. So a push never fails half-way through several queues.
pub struct Queue<T> {
    inner: Mutex<Inner<T>>,
    bounds: Bounds,
}

/// A queue at or above either has no room.
#[derive(Clone, Copy)]
pub struct Bounds {
    pub items_max: usize,
    /// Of the sizes that were pushed with the items.
    pub bytes_max: usize,
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
pub struct Popped<T> {
    pub item: T,
    pub relieved: bool,
}

impl<T> Queue<T> {
    pub fn new(bounds: Bounds) -> Self {
        let inner = Inner {
            items: VecDeque::new(),
            bytes: 0,
            reader: None,
            starved: false,
            closed: false,
        };
        Self {
            inner: Mutex::new(inner),
            bounds,
        }
    }

    /// Whether a writer may push. After `false`, a later [`Popped::relieved`] tells of room.
    pub fn has_room(&self) -> bool {
        let mut inner = self.inner.lock();
        let room = inner.items.len() < self.bounds.items_max && inner.bytes < self.bounds.bytes_max;
        inner.starved |= !room;
        room
    }

    /// The reader to wake, once the caller has left its locks.
    #[must_use]
    pub fn push(&self, item: T, bytes: usize) -> Option<Waker> {
        let mut inner = self.inner.lock();
        inner.items.push_back((item, bytes));
        inner.bytes += bytes;
        inner.reader.take()
    }

    /// `None` when closed and empty.
    pub fn poll_pop(&self, cx: &Context<'_>) -> Poll<Option<Popped<T>>> {
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
        let low = inner.items.len() <= self.bounds.items_max / 2 && inner.bytes <= self.bounds.bytes_max / 2;
        let relieved = low && std::mem::take(&mut inner.starved);
        Poll::Ready(Some(Popped { item, relieved }))
    }

    /// Nothing follows what is queued. The reader to wake.
    #[must_use]
    pub fn close(&self) -> Option<Waker> {
        let mut inner = self.inner.lock();
        inner.closed = true;
        inner.reader.take()
    }
}
