use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

/// What a transport must do for its WebSocket now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A text frame, valid UTF-8.
    Text(Bytes),
    /// A binary frame.
    Binary(Bytes),
    /// A WebSocket-level ping (plain WebSockets only).
    Ping,
    /// Send a close frame with this code (`None`: without one, read as 1005) and end. Nothing follows.
    Close(Option<u16>),
}

/// Frames on their way from a session to the task that writes its WebSocket. Outlives the session, so that its last
/// frames and the close are still written.
#[derive(Clone, Default)]
pub(crate) struct Outbox(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    frames: VecDeque<Outgoing>,
    bytes: usize,
    closed: bool,
    /// Set by the writer when it found nothing; ended by the next push.
    writer: Option<Waker>,
}

impl Outbox {
    /// Queues a frame. After a close nothing is taken any more.
    pub(crate) fn push(&self, frame: Outgoing) {
        let mut inner = self.0.borrow_mut();
        if inner.closed {
            return;
        }
        inner.closed = matches!(frame, Outgoing::Close(_));
        inner.bytes += frame.size();
        inner.frames.push_back(frame);
        if let Some(writer) = inner.writer.take() {
            writer.wake();
        }
    }

    /// Forgets what waits and closes with `code`: for a client that is too slow to be told anything else.
    pub(crate) fn abort(&self, code: u16) {
        {
            let mut inner = self.0.borrow_mut();
            inner.frames = VecDeque::new();
            inner.bytes = 0;
            inner.closed = false;
        }
        self.push(Outgoing::Close(Some(code)));
    }

    /// Bytes that wait to be written.
    pub(crate) fn bytes(&self) -> usize {
        self.0.borrow().bytes
    }

    pub(crate) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Outgoing> {
        let mut inner = self.0.borrow_mut();
        if let Some(frame) = inner.frames.pop_front() {
            inner.bytes -= frame.size();
            if inner.frames.is_empty() && inner.frames.capacity() > FRAMES_KEPT {
                inner.frames = VecDeque::new();
            }
            return Poll::Ready(frame);
        }
        match &mut inner.writer {
            Some(writer) => writer.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

/// Room for frames that an idle outbox may keep: a burst's memory is given back.
const FRAMES_KEPT: usize = 4;

impl Outgoing {
    fn size(&self) -> usize {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes.len(),
            Self::Ping | Self::Close(_) => 0,
        }
    }
}
