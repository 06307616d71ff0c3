use std::{
    collections::{HashMap, VecDeque},
    ops::RangeInclusive,
    sync::Arc,
    time::Duration,
};

use router::{Delivery, Epoch, Position};

use crate::{Error, Window};

/// What a log still has: the entries of its window, in order and without gaps, and the idempotency keys they were
/// appended under. Knows no locks, disks or clocks.
pub(super) struct Kept {
    epoch: Epoch,
    /// Offset of the last entry ever appended; 0 before the first.
    head: u64,
    /// Offsets `head - entries.len() + 1 ..= head`.
    entries: VecDeque<Entry>,
    bytes: u64,
    window: Window,
    /// Keys of appends whose last entry is kept: as many as entries at most, so bounded by the window.
    keys: HashMap<Arc<str>, RangeInclusive<u64>>,
}

pub(super) struct Entry {
    /// Milliseconds of the log's own clock, which never steps; below zero for entries older than the process.
    pub(super) at_ms: i64,
    /// On the last entry of an append that had a key: the key, and how many entries the append had.
    pub(super) key: Option<(Arc<str>, u32)>,
    pub(super) delivery: Arc<Delivery>,
}

impl Kept {
    pub(super) fn new(epoch: Epoch, head: u64, window: Window) -> Self {
        Self {
            epoch,
            head,
            entries: VecDeque::new(),
            bytes: 0,
            window,
            keys: HashMap::new(),
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) fn head(&self) -> Position {
        Position {
            epoch: self.epoch,
            offset: self.head,
        }
    }

    /// Offset of the oldest entry; that of the next one if there is none.
    pub(super) fn first(&self) -> u64 {
        self.head + 1 - self.entries.len() as u64
    }

    pub(super) fn window(&self) -> Window {
        self.window
    }

    /// Takes effect with the next [`trim`](Self::trim).
    pub(super) fn set_window(&mut self, window: Window) {
        self.window = window;
    }

    /// Offsets of an append that is still in the window.
    pub(super) fn known(&self, key: &str) -> Option<RangeInclusive<u64>> {
        self.keys.get(key).cloned()
    }

    pub(super) fn push(&mut self, entry: Entry) -> Position {
        self.head += 1;
        self.bytes += size(&entry);
        if let Some((key, count)) = &entry.key {
            let first = self.head.saturating_sub(u64::from(*count)) + 1;
            self.keys.insert(Arc::clone(key), first..=self.head);
        }
        self.entries.push_back(entry);
        self.head()
    }

    /// Drops from the front whatever is out of the window. Every entry is dropped once, so that calls made with
    /// every append cost no more than the appends.
    pub(super) fn trim(&mut self, now_ms: i64) {
        let age_ms = millis(self.window.age);
        while let Some(oldest) = self.entries.front() {
            let over =
                self.entries.len() as u64 > self.window.packets_max || self.bytes > self.window.bytes_max;
            if !over && now_ms.saturating_sub(oldest.at_ms) < age_ms {
                return;
            }
            self.bytes -= size(oldest);
            if let Some((key, _)) = &oldest.key {
                self.keys.remove(key);
            }
            self.entries.pop_front();
        }
        // Empty: a log that fell asleep does not sit on the memory of its busiest minute.
        self.entries.shrink_to(0);
        self.keys.shrink_to(0);
    }

    /// Entries after `after`. [`Error::Gone`] if one of them is not kept, or `after` is not a place in this log.
    pub(super) fn since(
        &self,
        after: Position,
        entries_max: usize,
    ) -> Result<Vec<(Position, Arc<Delivery>)>, Error> {
        let next = after.offset.checked_add(1).ok_or(Error::Gone)?;
        if after.epoch != self.epoch || after.offset > self.head || next < self.first() {
            return Err(Error::Gone);
        }
        let skipped = (next - self.first()) as usize;
        let positions = (next..).map(|offset| Position {
            epoch: self.epoch,
            offset,
        });
        let deliveries = self
            .entries
            .range(skipped..)
            .map(|entry| Arc::clone(&entry.delivery));
        Ok(positions.zip(deliveries.take(entries_max)).collect())
    }
}

fn size(entry: &Entry) -> u64 {
    let key = entry.key.as_ref().map_or(0, |(key, _)| key.len());
    (entry.delivery.size_estimate() + key) as u64
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
