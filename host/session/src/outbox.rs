use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

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
    /// Nothing but the first `free` frames is given out before this time.
    held: Option<Instant>,
    free: usize,
    /// Someone will wake the writer when that time has come.
    releasing: bool,
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
        match inner.held.filter(|until| Instant::now() < *until) {
            None => inner.wake(),
            Some(_) if inner.releasing => {}
            Some(until) => {
                inner.releasing = true;
                let held = self.clone();
                tokio::task::spawn_local(async move {
                    tokio::time::sleep_until(until).await;
                    let mut inner = held.0.borrow_mut();
                    inner.releasing = false;
                    inner.wake();
                });
            }
        }
    }

    /// Gives out what it has, and what comes next not before [`AFTER_CONNECT`] has passed.
    ///
    /// A client that attaches a listener for its first event only when it has seen its CONNECT (in a later turn of its
    /// loop, as clients with promises do) misses an event that arrives in the same read.
    pub(crate) fn hold(&self) {
        let mut inner = self.0.borrow_mut();
        inner.held = Some(Instant::now() + AFTER_CONNECT);
        inner.free = inner.frames.len();
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
        if inner.is_held() {
            inner.wait(cx);
            return Poll::Pending;
        }
        if let Some(frame) = inner.frames.pop_front() {
            inner.free = inner.free.saturating_sub(1);
            inner.bytes -= frame.size();
            if inner.frames.is_empty() && inner.frames.capacity() > FRAMES_KEPT {
                inner.frames = VecDeque::new();
            }
            return Poll::Ready(frame);
        }
        inner.wait(cx);
        Poll::Pending
    }
}

impl Inner {
    /// Whether the next frame must wait for its time.
    fn is_held(&mut self) -> bool {
        let Some(until) = self.held else { return false };
        if Instant::now() < until {
            return self.free == 0;
        }
        self.held = None;
        false
    }

    fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.writer {
            Some(writer) => writer.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    fn wake(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

/// How long a client has to read its CONNECT before more follows.
const AFTER_CONNECT: Duration = Duration::from_millis(5);

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
