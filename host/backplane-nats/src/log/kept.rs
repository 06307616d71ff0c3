use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use backplane::{Error, Window};
use router::{Delivery, Epoch, Position};

use super::frame::INDEX_MAX;

/// What a node holds of one app's log: entries as they came, as many as the window says.
pub(super) struct Kept {
    epoch: Epoch,
    entries: VecDeque<Entry>,
    bytes: u64,
    window: Window,
    /// Of every later entry the log accepted and this node has read, `entries` has it.
    complete_after: u64,
    /// Of the last entry, also when it is no longer kept; before any, where the node began to look.
    last: u64,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) offset: u64,
    pub(super) at: Instant,
    pub(super) delivery: Arc<Delivery>,
}

impl Kept {
    pub(super) fn new(window: Window) -> Self {
        Self {
            epoch: Epoch(0),
            entries: VecDeque::new(),
            bytes: 0,
            window,
            complete_after: 0,
            last: 0,
        }
    }

    pub(super) fn window(&self) -> Window {
        self.window
    }

    pub(super) fn set_window(&mut self, window: Window) {
        self.window = window;
        self.trim(Instant::now());
    }

    pub(super) fn head(&self) -> Position {
        self.position(self.last)
    }

    pub(super) fn position(&self, offset: u64) -> Position {
        Position {
            epoch: self.epoch,
            offset,
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Begins anew after `offset`: what was before is not known.
    pub(super) fn reset(&mut self, epoch: Epoch, offset: u64) {
        self.epoch = epoch;
        self.entries.clear();
        self.bytes = 0;
        self.complete_after = offset;
        self.last = offset;
    }

    pub(super) fn push(&mut self, entry: Entry) {
        assert!(entry.offset > self.last, "entries come in order");
        self.last = entry.offset;
        self.bytes += entry.delivery.size_estimate() as u64;
        self.entries.push_back(entry);
        self.trim(Instant::now());
    }

    /// Puts before everything what was stored before this node began to look, at `began`: what another `Kept` took.
    pub(super) fn prepend(&mut self, older: Self, began: u64) {
        // Entries that came since have been dropped already: then older ones have left the window too.
        if self.complete_after != began {
            return;
        }
        self.complete_after = older.complete_after;
        if self.last == began && older.last > 0 {
            self.last = older.last;
        }
        self.bytes += older.bytes;
        for entry in older.entries.into_iter().rev() {
            self.entries.push_front(entry);
        }
        self.trim(Instant::now());
    }

    /// What was before `offset` may have been more than was found.
    pub(super) fn incomplete_before(&mut self, offset: u64) {
        self.complete_after = self.complete_after.max(offset);
    }

    pub(super) fn trim(&mut self, now: Instant) {
        while let Some(first) = self.entries.front() {
            let Window {
                age,
                packets_max,
                bytes_max,
            } = self.window;
            let within = self.entries.len() as u64 <= packets_max
                && self.bytes <= bytes_max
                && now.saturating_duration_since(first.at) <= age;
            if within {
                return;
            }
            self.bytes -= first.delivery.size_estimate() as u64;
            self.complete_after = first.offset;
            self.entries.pop_front();
        }
    }

    /// Entries after `after`, which this node has read the log up to.
    pub(super) fn since(
        &mut self,
        after: Position,
        entries_max: usize,
    ) -> Result<Vec<(Position, Arc<Delivery>)>, Error> {
        self.trim(Instant::now());
        // Between the last entry and what was read of the whole partition only ends of messages are given out.
        let given_out = after.offset <= self.last || after.offset & INDEX_MAX == INDEX_MAX;
        if after.epoch != self.epoch || after.offset < self.complete_after || !given_out {
            return Err(Error::Gone);
        }
        let first = self.entries.partition_point(|entry| entry.offset <= after.offset);
        let found = self.entries.iter().skip(first).take(entries_max);
        Ok(found
            .map(|entry| (self.position(entry.offset), Arc::clone(&entry.delivery)))
            .collect())
    }
}

/// When something happened that is `age` old.
pub(super) fn since(age: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(age).unwrap_or(now)
}

#[cfg(test)]
mod tests;
