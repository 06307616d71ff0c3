//! Who reads a log on as it grows. A tail goes by its own cursor: what it has not read stays in the stream, and is read
//! after the connection comes back.
use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant as Point},
};

use backplane::{Step, Tail};
use futures_util::Stream;
use router::{Epoch, Position};

use super::{Core, Net, now};

/// Steps that wait for a slow reader; the rest waits in the stream.
const QUEUED_MAX: usize = 4096;
/// A tail is told that offsets went on without its app this often.
const PASSED_EVERY: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Tails {
    tails: BTreeMap<u64, Following>,
    made: u64,
}

struct Following {
    node: usize,
    app: String,
    epoch: Epoch,
    cursor: u64,
    queue: VecDeque<(Position, Step)>,
    waker: Option<Waker>,
    /// A delivery is planned.
    planned: bool,
    passed: Point,
    ended: bool,
}

impl Tails {
    pub(super) fn end(&mut self, node: usize) {
        self.tails
            .values_mut()
            .filter(|tail| tail.node == node)
            .for_each(|tail| tail.ended = true);
    }

    /// How far a node has read an app's log, if it reads it.
    pub(super) fn reached(&self, node: usize, app: &str, epoch: Epoch) -> Option<u64> {
        let own = self
            .tails
            .values()
            .filter(|tail| tail.node == node && tail.app == app);
        own.filter(|tail| tail.epoch == epoch)
            .map(|tail| tail.cursor)
            .max()
    }
}

impl Net {
    /// The longest queue of steps that nobody has read yet.
    pub fn unread(&self) -> usize {
        let core = self.0.core.lock();
        let living = core.tails.tails.values().filter(|tail| !tail.ended);
        living.map(|tail| tail.queue.len()).max().unwrap_or(0)
    }

    pub(super) fn follow(&self, node: usize, app: &str) -> Tail {
        let (id, start) = self.with(|core| {
            let start = core.head(app);
            core.tails.made += 1;
            let id = core.tails.made;
            let tail = Following {
                node,
                app: app.to_owned(),
                epoch: start.epoch,
                cursor: start.offset,
                queue: VecDeque::new(),
                waker: None,
                planned: false,
                passed: now(),
                ended: false,
            };
            core.tails.tails.insert(id, tail);
            (id, start)
        });
        let steps = Box::pin(Steps {
            net: self.clone(),
            id,
        });
        Tail { start, steps }
    }
}

impl Core {
    pub(super) fn schedule_tails(&mut self, app: &str) {
        let partition = super::log::partition_of(app);
        self.schedule_where(|tail| super::log::partition_of(&tail.app) == partition);
    }

    pub(super) fn schedule_tails_of(&mut self, node: usize) {
        self.schedule_where(|tail| tail.node == node);
    }

    fn schedule_where(&mut self, choose: impl Fn(&Following) -> bool) {
        let chosen = self.tails.tails.iter().filter(|(_, tail)| choose(tail));
        let ids: Vec<u64> = chosen.map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.schedule(id));
    }

    fn schedule(&mut self, id: u64) {
        let Some(tail) = self.tails.tails.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut tail.planned, true) {
            return;
        }
        let node = tail.node;
        let delay = self.tail_delay(node);
        self.after(delay, move |core| core.bring(id));
    }

    /// Brings a tail what there is. A node that is cut off or stopped gets it when it is back.
    fn bring(&mut self, id: u64) {
        if let Some(held) = &mut self.held {
            return held.push(Box::new(move |core| core.bring(id)));
        }
        let Some(mut tail) = self.tails.tails.remove(&id) else {
            return;
        };
        tail.planned = false;
        let link = &self.nodes[tail.node];
        if link.cut || link.paused || link.dead {
            self.tails.tails.insert(id, tail);
            return;
        }
        let partition = &mut self.partitions[super::log::partition_of(&tail.app)];
        tail.take(partition);
        let more = tail.queue.len() < QUEUED_MAX && partition.log(&tail.app).head > tail.cursor;
        if let Some(waker) = tail.waker.take() {
            waker.wake();
        }
        self.tails.tails.insert(id, tail);
        if more {
            self.schedule(id);
        }
    }
}

impl Following {
    fn take(&mut self, partition: &mut super::log::Partition) {
        let (epoch, end) = (partition.epoch, partition.end(&self.app));
        let log = partition.log(&self.app);
        let gap = if self.epoch == epoch {
            (self.cursor < log.gone).then_some(log.gone)
        } else {
            Some(log.head)
        };
        if let Some(offset) = gap {
            (self.epoch, self.cursor) = (epoch, offset);
            self.queue.push_back((Position { epoch, offset }, Step::Gap));
        }
        let room = QUEUED_MAX.saturating_sub(self.queue.len());
        for (offset, delivery) in log.entries_after(self.cursor, room) {
            self.cursor = offset;
            self.queue
                .push_back((Position { epoch, offset }, Step::Entry(delivery)));
        }
        if log.head <= self.cursor && end > self.cursor && now().duration_since(self.passed) >= PASSED_EVERY {
            (self.cursor, self.passed) = (end, now());
            let position = Position { epoch, offset: end };
            self.queue.push_back((position, Step::Passed));
        }
    }
}

/// The reader's end.
struct Steps {
    net: Net,
    id: u64,
}

impl Stream for Steps {
    type Item = (Position, Step);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let id = self.id;
        self.net.with(|core| {
            let Some(tail) = core.tails.tails.get_mut(&id) else {
                return Poll::Ready(None);
            };
            let full = tail.queue.len() >= QUEUED_MAX;
            let next = tail.queue.pop_front();
            if next.is_none() {
                tail.waker = Some(cx.waker().clone());
            }
            if full {
                core.schedule(id);
            }
            next.map_or(Poll::Pending, |next| Poll::Ready(Some(next)))
        })
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        let tail = self.net.with(|core| core.tails.tails.remove(&self.id));
        drop(tail);
    }
}
