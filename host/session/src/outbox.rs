use std::{
    cell::RefCell,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use compact::Moment;
use engineio::Outputs;
use tokio::{sync::Notify, time::Instant};

use crate::wakers::Wakers;

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

/// What writes a WebSocket's frames without its task being woken: one system call a socket, and nothing else, is what a
/// delivery to many costs.
pub trait Sink {
    /// Writes what `next` gives out, as far as that goes without waiting. False: its task has to see to it, which
    /// includes frames that were taken and are not written yet.
    fn write(&self, next: &mut dyn FnMut() -> Option<Outgoing>) -> bool;
}

/// Frames on their way from a session to its WebSocket. Outlives the session, so that its last frames and the close are
/// still written.
#[derive(Clone)]
pub(crate) struct Outbox(Rc<RefCell<Inner>>);

struct Inner {
    frames: Outputs<Outgoing>,
    bytes: usize,
    closed: bool,
    /// Nothing but the first `free` frames is given out before this time.
    held: Option<Moment>,
    free: u32,
    /// Someone will wake the writer when that time has come.
    releasing: bool,
    writer: Writer,
    /// The WebSocket's task, which waits for frames.
    task: Option<Waker>,
    sink: Option<Rc<dyn Sink>>,
    /// Who wait for what is here to be taken.
    waiting: Wakers,
    dirty: Rc<Dirty>,
}

/// What a WebSocket's outbox takes, apart from its two counts.
#[cfg(test)]
pub(crate) const BYTES: usize = size_of::<RefCell<Inner>>();

/// Who sees to what is pushed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// Nobody: the sink is to be told, or the task to be woken.
    None,
    /// It is among the dirty ones.
    Sink,
    /// The task runs, or waits for its peer to take what it has: it asks for more by itself.
    Task,
}

/// The outboxes of a core that have frames for their sinks. They are written after whatever else is ready has run, so
/// that all that one turn of the core brings for a socket goes out at once.
#[derive(Default)]
pub(crate) struct Dirty {
    outboxes: RefCell<Vec<Outbox>>,
    added: Notify,
}

impl Dirty {
    /// Writes what is added, for ever.
    pub(crate) async fn run(self: Rc<Self>) {
        let mut batch = Vec::new();
        loop {
            self.added.notified().await;
            std::mem::swap(&mut batch, &mut *self.outboxes.borrow_mut());
            let many = batch.len() > WRITES_AT_ONCE;
            for (index, outbox) in batch.drain(..).enumerate() {
                // What others wait for goes first, and what comes of it for those who still wait goes out with what
                // they have.
                if many && index % WRITES_AT_ONCE == 0 {
                    tokio::task::yield_now().await;
                }
                outbox.write();
            }
            batch.shrink_to(OUTBOXES_KEPT);
        }
    }

    fn add(&self, outbox: Outbox) {
        let mut outboxes = self.outboxes.borrow_mut();
        if outboxes.is_empty() {
            self.added.notify_one();
        }
        outboxes.push(outbox);
    }
}

/// Writes after which a core looks at what else there is to do: some hundred microseconds, beside which a look is nothing.
const WRITES_AT_ONCE: usize = 64;
/// Room in the list of dirty outboxes that a quiet core may keep.
const OUTBOXES_KEPT: usize = 1024;

impl Outbox {
    pub(crate) fn new(dirty: &Rc<Dirty>) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            frames: Outputs::new(),
            bytes: 0,
            closed: false,
            held: None,
            free: 0,
            releasing: false,
            // The task's first look at it is under way.
            writer: Writer::Task,
            task: None,
            sink: None,
            waiting: Wakers::default(),
            dirty: Rc::clone(dirty),
        })))
    }

    /// From now on frames are written by `sink`, where that needs no waiting.
    pub(crate) fn set_sink(&self, sink: Rc<dyn Sink>) {
        self.0.borrow_mut().sink = Some(sink);
    }

    /// The WebSocket is gone: nothing will be taken any more.
    pub(crate) fn detach(&self) {
        let mut inner = self.0.borrow_mut();
        inner.sink = None;
        inner.waiting.wake();
    }

    /// Queues a frame. After a close nothing is taken any more.
    pub(crate) fn push(&self, frame: Outgoing) {
        let mut inner = self.0.borrow_mut();
        if inner.closed {
            return;
        }
        inner.closed = matches!(frame, Outgoing::Close(_));
        inner.bytes += frame.size();
        inner.frames.push(frame);
        match inner.held() {
            None => self.tell(&mut inner),
            Some(_) if inner.releasing => {}
            Some(until) => {
                inner.releasing = true;
                let held = self.clone();
                crate::tasks::spawn_local(async move {
                    tokio::time::sleep_until(until).await;
                    let mut inner = held.0.borrow_mut();
                    inner.releasing = false;
                    inner.wake();
                });
            }
        }
    }

    /// Sees that what was pushed is written.
    fn tell(&self, inner: &mut Inner) {
        if inner.closed {
            return inner.wake();
        }
        match inner.writer {
            Writer::None if inner.sink.is_some() => {
                inner.writer = Writer::Sink;
                inner.dirty.add(self.clone());
            }
            Writer::None => inner.wake(),
            Writer::Sink | Writer::Task => {}
        }
    }

    /// Gives its frames to its sink, unless the task was quicker.
    fn write(&self) {
        let sink = {
            let mut inner = self.0.borrow_mut();
            if inner.writer != Writer::Sink {
                return;
            }
            inner.writer = Writer::None;
            inner.sink.clone()
        };
        // The close is the task's.
        let next = &mut || {
            let mut inner = self.0.borrow_mut();
            if inner.closed { None } else { inner.pop() }
        };
        let done = sink.is_some_and(|sink| sink.write(next));
        let mut inner = self.0.borrow_mut();
        if !done || !inner.frames.is_empty() {
            inner.wake();
        }
    }

    /// The task has begun to look at its WebSocket: until it has found nothing to write, it need not be told of anything.
    pub(crate) fn attend(&self) {
        self.0.borrow_mut().writer = Writer::Task;
    }

    /// The task has ended its turn and leaves to the sink what there is; false if that is not for the sink.
    pub(crate) fn leave(&self, cx: &Context<'_>) -> bool {
        let mut inner = self.0.borrow_mut();
        if inner.closed {
            return false;
        }
        inner.wait(cx);
        if !inner.frames.is_empty() && !inner.is_held() {
            self.tell(&mut inner);
        }
        true
    }

    /// Gives out what it has, and what comes next not before [`AFTER_CONNECT`] has passed.
    ///
    /// A client that attaches a listener for its first event only when it has seen its CONNECT (in a later turn of its
    /// loop, as clients with promises do) misses an event that arrives in the same read.
    pub(crate) fn hold(&self) {
        let mut inner = self.0.borrow_mut();
        inner.held = Some((Instant::now() + AFTER_CONNECT).into_std().into());
        // More than that is not to be held.
        inner.free = u32::try_from(inner.frames.len()).unwrap_or(u32::MAX);
    }

    /// Forgets what waits and closes with `code`: for a client that is too slow to be told anything else.
    pub(crate) fn abort(&self, code: u16) {
        {
            let mut inner = self.0.borrow_mut();
            inner.frames = Outputs::new();
            inner.bytes = 0;
            inner.closed = false;
        }
        self.push(Outgoing::Close(Some(code)));
    }

    /// Bytes that wait to be written.
    pub(crate) fn bytes(&self) -> usize {
        self.0.borrow().bytes
    }

    /// Wakes once when nothing waits any more, or nothing will be taken.
    pub(crate) fn wake_when_empty(&self, waker: &Waker) {
        self.0.borrow_mut().waiting.add(waker);
    }

    pub(crate) fn poll_pop(&self, cx: &mut Context<'_>) -> Poll<Outgoing> {
        let mut inner = self.0.borrow_mut();
        if let Some(frame) = inner.pop() {
            return Poll::Ready(frame);
        }
        inner.wait(cx);
        Poll::Pending
    }
}

impl Inner {
    /// Inlined: it is asked for every frame, and once more.
    #[inline]
    fn pop(&mut self) -> Option<Outgoing> {
        if self.is_held() {
            return None;
        }
        let frame = self.frames.pop()?;
        self.free = self.free.saturating_sub(1);
        self.bytes -= frame.size();
        if self.bytes == 0 {
            self.waiting.wake();
        }
        Some(frame)
    }

    /// Whether the next frame must wait for its time.
    #[inline]
    fn is_held(&mut self) -> bool {
        if self.held.is_none() {
            return false;
        }
        if self.held().is_some() {
            return self.free == 0;
        }
        self.held = None;
        false
    }

    /// Until when it is held, if that has not passed.
    fn held(&self) -> Option<Instant> {
        let until = Instant::from_std(self.held?.into());
        (Instant::now() < until).then_some(until)
    }

    fn wait(&mut self, cx: &Context<'_>) {
        self.writer = Writer::None;
        match &mut self.task {
            Some(task) => task.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Has the task see to it.
    fn wake(&mut self) {
        if let Some(task) = self.task.take() {
            self.writer = Writer::Task;
            task.wake();
        }
        if self.closed {
            self.waiting.wake();
        }
    }
}

/// How long a client has to read its CONNECT before more follows.
const AFTER_CONNECT: Duration = Duration::from_millis(5);

impl Outgoing {
    fn size(&self) -> usize {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes.len(),
            Self::Ping | Self::Close(_) => 0,
        }
    }
}
