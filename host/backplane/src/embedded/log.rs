use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use router::{Delivery, Position};

use super::{
    clock::Clock,
    journal::{Journal, Planned},
    kept::{Entry, Kept},
    offload::offload,
};
use crate::{Appended, Error, Queue, Tail, Window};

mod tail;

/// One app's log: what is kept of it, who follows it, who waits to append.
///
/// One lock orders everything: offsets, the journal, tails. It is never held over an await. An append that may go
/// at once (nobody waits, every tail has room) is done within its first poll, without a wake-up.
pub(super) struct Log {
    state: Mutex<State>,
    /// None: nothing survives the process.
    journal: Option<Journal>,
    clock: Arc<Clock>,
}

struct State {
    kept: Kept,
    tails: Vec<(TailId, Arc<Queue<Followed>>)>,
    tails_made: TailId,
    /// Appends in the order of their first poll. Only the first may go.
    waiting: VecDeque<(Ticket, Waker)>,
    tickets_made: Ticket,
    /// An append is between offsets assigned and offsets taken, on another thread: nobody else may go.
    writing: bool,
}

type Followed = (Position, crate::Step);
type TailId = u64;
type Ticket = u64;

/// One call's entries, checked, and encoded before any lock is taken.
pub(super) struct Batch {
    pub(super) entries: Vec<Arc<Delivery>>,
    pub(super) key: Option<Arc<str>>,
}

enum Step {
    Done(Result<Appended, Error>),
    /// Granted, but the journal is to be written by a thread that may block. [`State::writing`] is set.
    Write(Planned, Writing),
}

impl Log {
    pub(super) fn new(kept: Kept, journal: Option<Journal>, clock: Arc<Clock>) -> Self {
        let state = State {
            kept,
            tails: Vec::new(),
            tails_made: 0,
            waiting: VecDeque::new(),
            tickets_made: 0,
            writing: false,
        };
        Self {
            state: Mutex::new(state),
            journal,
            clock,
        }
    }

    /// Appends when it is this call's turn. Dropping the future before it was given the turn appends nothing.
    pub(super) async fn append(self: Arc<Self>, batch: Batch) -> Result<Appended, Error> {
        let encoded = match &self.journal {
            Some(_) => batch.entries.iter().map(|entry| entry.encode()).collect(),
            None => Vec::new(),
        };
        let mut turn = Turn {
            log: &self,
            ticket: None,
        };
        let step = poll_fn(|cx| turn.poll(&batch, &encoded, cx)).await;
        drop(turn);
        match step {
            Step::Done(answer) => answer,
            Step::Write(planned, writing) => {
                offload(move || {
                    planned.commit()?;
                    let mut state = writing.0.state.lock();
                    let (appended, wakers) = state.accept(&batch, writing.0.clock.now_ms());
                    drop(state);
                    wakers.into_iter().for_each(Waker::wake);
                    Ok(appended)
                })
                .await
            }
        }
    }

    pub(super) fn read(
        &self,
        after: Position,
        entries_max: usize,
    ) -> Result<Vec<(Position, Arc<Delivery>)>, Error> {
        let mut state = self.state.lock();
        state.kept.trim(self.clock.now_ms());
        state.kept.since(after, entries_max)
    }

    pub(super) fn head(&self) -> Position {
        self.state.lock().kept.head()
    }

    pub(super) fn tail(self: &Arc<Self>) -> Tail {
        tail::follow(self)
    }

    pub(super) fn retain(&self, window: Window) -> Result<(), Error> {
        let mut state = self.state.lock();
        if let Some(journal) = &self.journal {
            journal.write_window(&state.kept, window)?;
        }
        state.kept.set_window(window);
        state.kept.trim(self.clock.now_ms());
        Ok(())
    }

    /// Drops what has left the window, from memory and then from disk: for logs that nobody appends to.
    pub(super) fn sweep(&self) -> Result<(), Error> {
        self.state.lock().kept.trim(self.clock.now_ms());
        let Some(journal) = &self.journal else {
            return Ok(());
        };
        // Piece by piece, since appends wait meanwhile.
        while journal.sweep(&self.state.lock().kept)? {}
        Ok(())
    }

    /// Ends every tail, after what it has queued.
    pub(super) fn close(&self) {
        let tails = std::mem::take(&mut self.state.lock().tails);
        tails
            .iter()
            .filter_map(|(_, queue)| queue.close())
            .for_each(Waker::wake);
    }

    /// Lets the first of those who wait look again whether it may go.
    fn wake_next(&self) {
        let next = self.state.lock().next();
        next.into_iter().for_each(Waker::wake);
    }
}

impl State {
    fn may_go(&self, ticket: Option<Ticket>) -> bool {
        !self.writing
            && self.waiting.front().map(|(first, _)| *first) == ticket
            && self.tails.iter().all(|(_, queue)| queue.has_room())
    }

    fn wait(&mut self, ticket: Option<Ticket>, waker: &Waker) -> Ticket {
        if let Some(ticket) = ticket {
            if let Some((_, waiting)) = self.waiting.iter_mut().find(|(other, _)| *other == ticket) {
                waiting.clone_from(waker);
            }
            return ticket;
        }
        self.tickets_made += 1;
        self.waiting.push_back((self.tickets_made, waker.clone()));
        self.tickets_made
    }

    fn leave(&mut self, ticket: Option<Ticket>) {
        self.waiting.retain(|(other, _)| Some(*other) != ticket);
    }

    fn next(&self) -> Option<Waker> {
        self.waiting.front().map(|(_, waker)| waker.clone())
    }

    /// The journal has it: gives out the offsets and hands the entries to tails. The wakers are for after the lock.
    fn accept(&mut self, batch: &Batch, now_ms: i64) -> (Appended, Vec<Waker>) {
        let count = batch.entries.len();
        let first = self.kept.head().offset + 1;
        let mut wakers = Vec::new();
        for (index, delivery) in batch.entries.iter().enumerate() {
            let key = batch.key.as_ref().filter(|_| index + 1 == count);
            let key = key.map(|key| (Arc::clone(key), count as u32));
            let position = self.kept.push(Entry {
                at_ms: now_ms,
                key,
                delivery: Arc::clone(delivery),
            });
            let bytes = if self.tails.is_empty() {
                0
            } else {
                delivery.size_estimate()
            };
            for (_, queue) in &self.tails {
                wakers.extend(queue.push((position, crate::Step::Entry(Arc::clone(delivery))), bytes));
            }
        }
        self.kept.trim(now_ms);
        wakers.extend(self.next());
        let offsets = (first..first + count as u64).collect();
        (
            Appended {
                epoch: self.kept.epoch(),
                offsets,
                duplicate: false,
            },
            wakers,
        )
    }
}

/// One append's place in the queue, given back when it is dropped.
struct Turn<'a> {
    log: &'a Arc<Log>,
    ticket: Option<Ticket>,
}

impl Turn<'_> {
    fn poll(&mut self, batch: &Batch, encoded: &[bytes::Bytes], cx: &Context<'_>) -> Poll<Step> {
        let mut state = self.log.state.lock();
        if let Some(offsets) = batch.key.as_ref().and_then(|key| state.kept.known(key)) {
            let appended = Appended {
                epoch: state.kept.epoch(),
                offsets: offsets.collect(),
                duplicate: true,
            };
            return Poll::Ready(Step::Done(Ok(appended)));
        }
        if !state.may_go(self.ticket) {
            self.ticket = Some(state.wait(self.ticket, cx.waker()));
            return Poll::Pending;
        }
        if let Some(journal) = &self.log.journal {
            let planned = journal.plan(&state.kept, batch, encoded);
            if journal.blocks() {
                state.writing = true;
                let writing = Writing(Arc::clone(self.log));
                return Poll::Ready(Step::Write(planned, writing));
            }
            // Under the lock, so that the journal has the entries in the order of their offsets.
            if let Err(error) = planned.commit() {
                return Poll::Ready(Step::Done(Err(error)));
            }
        }
        state.leave(self.ticket.take());
        let (appended, wakers) = state.accept(batch, self.log.clock.now_ms());
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        Poll::Ready(Step::Done(Ok(appended)))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.log.state.lock().leave(Some(ticket));
            self.log.wake_next();
        }
    }
}

/// [`State::writing`] is set for as long as this lives: the write may fail, panic, or never be started.
struct Writing(Arc<Log>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.state.lock().writing = false;
        self.0.wake_next();
    }
}
