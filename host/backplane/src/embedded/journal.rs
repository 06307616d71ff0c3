use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use router::{Delivery, Epoch};
use serde::{Deserialize, Serialize};

use super::{
    clock::Clock,
    kept::{Entry, Kept},
    log::Batch,
    store::{Op, Safe, Space, Store, named},
};
use crate::{Error, Window};

/// An app's log in the store.
///
/// Entries are under their epoch, so those of a lost log are never taken for those of its successor. A batch of
/// removals and the floor below which there is nothing are written together: what is on disk never has a gap.
pub(super) struct Journal {
    store: Arc<Store>,
    app: Arc<str>,
    /// The lowest offset that may be on disk.
    lowest: AtomicU64,
}

/// An append, ready to be written.
pub(super) struct Planned {
    store: Arc<Store>,
    ops: Vec<Op>,
}

#[derive(Serialize, Deserialize)]
struct LogRecord {
    epoch: u32,
    /// Every entry up to here was removed.
    floor: u64,
    window_age_ms: u64,
    window_packets_max: u64,
    window_bytes_max: u64,
}

/// Before the delivery's bytes.
#[derive(Serialize, Deserialize)]
struct EntryRecord<'a> {
    wall_ms: u64,
    /// As in [`Entry::key`].
    #[serde(borrow)]
    key: Option<(&'a str, u32)>,
}

impl Journal {
    /// A log that nothing is known of, with a new identity.
    pub(super) fn create(store: &Arc<Store>, app: &Arc<str>, window: Window) -> Result<(Kept, Self), Error> {
        let kept = Kept::new(new_epoch()?, 0, window);
        let journal = Self {
            store: Arc::clone(store),
            app: Arc::clone(app),
            lowest: AtomicU64::new(1),
        };
        // First the record, so that a crash between the two leaves entries that nobody owns, not ones without a gap.
        journal.write_window(&kept, window)?;
        journal.purge()?;
        Ok((kept, journal))
    }

    /// Reads a log back. If it is not whole, or `intact` is false, it starts anew.
    pub(super) fn load(
        store: &Arc<Store>,
        app: &Arc<str>,
        record: &[u8],
        intact: bool,
        clock: &Clock,
    ) -> Result<(Kept, Self), Error> {
        let Ok(record) = postcard::from_bytes::<LogRecord>(record) else {
            tracing::warn!(%app, "log's record is damaged: the log starts anew");
            return Self::create(store, app, Window::INITIAL);
        };
        let window = record.window();
        if !intact {
            tracing::warn!(%app, "log may have lost entries when the machine went down: it starts anew");
            return Self::create(store, app, window);
        }
        let mut kept = Kept::new(Epoch(record.epoch), record.floor, window);
        let prefix = entries_of(app, kept.epoch());
        let mut whole = true;
        store.scan(Space::Entries, &prefix, None, &mut |key, value| {
            let offset = key
                .get(prefix.len()..)
                .and_then(|offset| offset.try_into().ok())
                .map(u64::from_be_bytes);
            let entry = decode(value, clock);
            match (offset, entry) {
                (Some(offset), Some(entry)) if offset == kept.head().offset + 1 => {
                    kept.push(entry);
                    Ok(ControlFlow::Continue(()))
                }
                _ => {
                    whole = false;
                    Ok(ControlFlow::Break(()))
                }
            }
        })?;
        if !whole {
            tracing::warn!(%app, after = kept.head().offset, "log has a damaged entry: it starts anew");
            return Self::create(store, app, window);
        }
        let lowest = AtomicU64::new(kept.first());
        kept.trim(clock.now_ms());
        Ok((
            kept,
            Self {
                store: Arc::clone(store),
                app: Arc::clone(app),
                lowest,
            },
        ))
    }

    pub(super) fn blocks(&self) -> bool {
        self.store.blocks()
    }

    /// `encoded` has the batch's entries.
    pub(super) fn plan(&self, kept: &Kept, batch: &Batch, encoded: &[Bytes]) -> Planned {
        let wall_ms = Clock::wall_ms();
        let count = encoded.len();
        let ops = encoded.iter().zip(1u64..).map(|(delivery, nth)| {
            let key = batch
                .key
                .as_deref()
                .filter(|_| nth == count as u64)
                .map(|key| (key, count as u32));
            let header = Vec::with_capacity(delivery.len() + key.map_or(0, |(key, _)| key.len()) + 24);
            let mut value = write(&EntryRecord { wall_ms, key }, header);
            value.extend_from_slice(delivery);
            self.entry(kept.epoch(), kept.head().offset + nth, Some(value))
        });
        Planned {
            store: Arc::clone(&self.store),
            ops: ops.collect(),
        }
    }

    pub(super) fn write_window(&self, kept: &Kept, window: Window) -> Result<(), Error> {
        self.store
            .commit(vec![self.record(kept, window)], Safe::AsConfigured)
    }

    /// Removes some of what has left the window. True if there is more.
    pub(super) fn sweep(&self, kept: &Kept) -> Result<bool, Error> {
        let lowest = self.lowest.load(Ordering::Acquire);
        let until = kept.first().min(lowest + SWEEP_ENTRIES_MAX);
        if lowest == until {
            return Ok(false);
        }
        self.lowest.store(until, Ordering::Release);
        let mut ops: Vec<Op> = (lowest..until)
            .map(|offset| self.entry(kept.epoch(), offset, None))
            .collect();
        ops.push(self.record(kept, kept.window()));
        let swept = self.store.commit(ops, Safe::Later);
        if swept.is_err() {
            self.lowest.store(lowest, Ordering::Release);
        }
        swept.map(|()| until < kept.first())
    }

    /// Removes every entry of the app: for an epoch that has none yet.
    fn purge(&self) -> Result<(), Error> {
        loop {
            let mut ops = Vec::new();
            self.store
                .scan(Space::Entries, &named(&self.app, &[]), None, &mut |key, _| {
                    ops.push(Op {
                        space: Space::Entries,
                        key: key.to_vec(),
                        value: None,
                    });
                    let more = (ops.len() as u64) < SWEEP_ENTRIES_MAX;
                    Ok(if more {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    })
                })?;
            if ops.is_empty() {
                return Ok(());
            }
            self.store.commit(ops, Safe::Later)?;
        }
    }

    fn entry(&self, epoch: Epoch, offset: u64, value: Option<Vec<u8>>) -> Op {
        let mut key = entries_of(&self.app, epoch);
        key.extend_from_slice(&offset.to_be_bytes());
        Op {
            space: Space::Entries,
            key,
            value,
        }
    }

    fn record(&self, kept: &Kept, window: Window) -> Op {
        let record = LogRecord {
            epoch: kept.epoch().0,
            floor: self.lowest.load(Ordering::Acquire).saturating_sub(1),
            window_age_ms: u64::try_from(window.age.as_millis()).unwrap_or(u64::MAX),
            window_packets_max: window.packets_max,
            window_bytes_max: window.bytes_max,
        };
        let value = Some(write(&record, Vec::new()));
        Op {
            space: Space::Logs,
            key: self.app.as_bytes().to_vec(),
            value,
        }
    }
}

impl Planned {
    pub(super) fn commit(self) -> Result<(), Error> {
        self.store.commit(self.ops, Safe::AsConfigured)
    }
}

impl LogRecord {
    fn window(&self) -> Window {
        Window {
            age: Duration::from_millis(self.window_age_ms),
            packets_max: self.window_packets_max,
            bytes_max: self.window_bytes_max,
        }
    }
}

/// Random, so that no lost log's positions are taken for this one's; never zero, which no log has.
pub(super) fn new_epoch() -> Result<Epoch, Error> {
    match getrandom::u32() {
        Ok(random) => Ok(Epoch(random.max(1))),
        Err(error) => Err(Error::Unavailable(format!("no random numbers: {error}"))),
    }
}

fn entries_of(app: &str, epoch: Epoch) -> Vec<u8> {
    named(app, &epoch.0.to_be_bytes())
}

fn decode(value: &[u8], clock: &Clock) -> Option<Entry> {
    let (record, delivery) = postcard::take_from_bytes::<EntryRecord<'_>>(value).ok()?;
    let delivery = Delivery::decode(&Bytes::copy_from_slice(delivery)).ok()?;
    let key = record.key.map(|(key, count)| (Arc::from(key), count));
    Some(Entry {
        at_ms: clock.place_wall_ms(record.wall_ms),
        key,
        delivery: Arc::new(delivery),
    })
}

fn write(record: &impl Serialize, buffer: Vec<u8>) -> Vec<u8> {
    match postcard::to_extend(record, buffer) {
        Ok(buffer) => buffer,
        Err(error) => unreachable!("a Vec takes whatever is written: {error}"),
    }
}

/// Some 100 µs, during which the app's appends wait.
const SWEEP_ENTRIES_MAX: u64 = 128;
