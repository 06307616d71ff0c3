//! Logs as JetStream has them: apps share a partition's sequence, an append is one message, and an entry's offset is the
//! message's sequence and its place in it. An app's offsets so have holes.
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant as Point},
};

use backplane::{Appended, Error, Window};
use router::{Delivery, Epoch, Position};

use super::{Core, Net, now};
use crate::Random;

pub(super) const PARTITIONS: usize = 2;
/// Bits of an offset for the place in a message.
const PLACE_BITS: u32 = 12;
/// The last place of a message: where a partition stands whose last message is another app's.
const LAST_PLACE: u64 = (1 << PLACE_BITS) - 1;
/// The stream itself keeps entries this long, whatever an app's window is: a tail that is further behind has a gap.
const STREAM_AGE: Duration = Duration::from_secs(600);

pub(super) struct Partition {
    pub(super) epoch: Epoch,
    sequence: u64,
    pub(super) logs: HashMap<String, Log>,
}

pub(super) struct Log {
    /// All that the stream has, oldest first.
    entries: VecDeque<Stored>,
    /// How many entries left the stream's front: an index that outlives them.
    base: usize,
    /// The first entry of the window, as such an index.
    first: usize,
    window_bytes: usize,
    window: Window,
    /// The last offset that left the window, and the stream.
    pub(super) dropped: u64,
    pub(super) gone: u64,
    pub(super) head: u64,
    keys: HashMap<String, Appended>,
    /// Everything that was ever stored, for whoever checks.
    told: Vec<Told>,
}

struct Stored {
    offset: u64,
    at: Point,
    bytes: usize,
    delivery: Arc<Delivery>,
}

/// An entry that a log has or had, and when it was stored.
#[derive(Clone)]
pub struct Told {
    pub position: Position,
    pub at: Point,
    pub delivery: Arc<Delivery>,
}

impl Net {
    /// Everything that was ever stored in an app's log, in order of storing.
    pub fn told(&self, app: &str) -> Vec<Told> {
        self.with(|core| core.partition(app).log(app).told.clone())
    }

    pub fn epoch(&self, app: &str) -> Epoch {
        self.with(|core| core.partition(app).epoch)
    }

    /// Other apps of the partition write: offsets go on without this one.
    pub fn others_write(&self, app: &str, messages: u64) {
        self.with(|core| {
            core.partition(app).sequence += messages;
            core.schedule_tails(app);
        });
    }

    /// A partition's stream is lost, and begins anew as another epoch's.
    pub fn lose_log(&self, app: &str) {
        self.with(|core| {
            let epoch = Epoch(core.random.draw() as u32 | 1);
            let partition = core.partition(app);
            partition.epoch = epoch;
            partition.sequence = 0;
            for log in partition.logs.values_mut() {
                *log = Log {
                    told: std::mem::take(&mut log.told),
                    window: log.window,
                    ..Log::new(0)
                };
            }
            core.schedule_tails(app);
        });
    }
}

impl Core {
    pub(super) fn partition(&mut self, app: &str) -> &mut Partition {
        &mut self.partitions[partition_of(app)]
    }

    pub(super) fn append(&mut self, app: &str, entries: &[Arc<Delivery>], key: Option<&str>) -> Appended {
        let others = match self.faults.others_max {
            0 => 0,
            max => self.random.below(max + 1) as u64,
        };
        let partition = self.partition(app);
        let appended = partition.append(app, entries, key, others);
        self.schedule_tails(app);
        appended
    }

    pub(super) fn head(&mut self, app: &str) -> Position {
        let partition = self.partition(app);
        let (epoch, offset) = (partition.epoch, partition.log(app).head);
        Position { epoch, offset }
    }

    /// Entries after `after` and, if it is given, up to `reached`.
    pub(super) fn read(
        &mut self,
        app: &str,
        after: Position,
        reached: Option<u64>,
        entries_max: usize,
    ) -> Result<Vec<(Position, Arc<Delivery>)>, Error> {
        let partition = self.partition(app);
        let (epoch, end) = (partition.epoch, partition.end(app));
        let log = partition.log(app);
        log.trim();
        if after.epoch != epoch || after.offset < log.dropped || after.offset > end.max(log.head) {
            return Err(Error::Gone);
        }
        let found = log.after(after.offset);
        let found = found.take_while(|stored| reached.is_none_or(|reached| stored.offset <= reached));
        let with_position = |stored: &Stored| {
            let offset = stored.offset;
            (Position { epoch, offset }, stored.delivery.clone())
        };
        Ok(found.take(entries_max).map(with_position).collect())
    }

    pub(super) fn retain(&mut self, app: &str, window: Window) {
        let log = self.partition(app).log(app);
        log.window = window;
        log.trim();
    }
}

impl Partition {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            epoch: Epoch(random.draw() as u32 | 1),
            sequence: random.draw() % 1000,
            logs: HashMap::new(),
        }
    }

    pub(super) fn log(&mut self, app: &str) -> &mut Log {
        if !self.logs.contains_key(app) {
            let floor = self.sequence << PLACE_BITS | LAST_PLACE;
            self.logs.insert(app.to_owned(), Log::new(floor));
        }
        self.logs.get_mut(app).unwrap()
    }

    /// Up to where an app's offsets have gone on: past its last entry if others wrote since.
    pub(super) fn end(&mut self, app: &str) -> u64 {
        let (sequence, head) = (self.sequence, self.log(app).head);
        if sequence > head >> PLACE_BITS {
            sequence << PLACE_BITS | LAST_PLACE
        } else {
            head
        }
    }

    fn append(&mut self, app: &str, entries: &[Arc<Delivery>], key: Option<&str>, others: u64) -> Appended {
        let epoch = self.epoch;
        let log = self.log(app);
        log.trim();
        if let Some(known) = key.and_then(|key| log.keys.get(key)) {
            return Appended {
                duplicate: true,
                ..known.clone()
            };
        }
        if !entries.is_empty() {
            self.sequence += 1 + others;
        }
        let first = self.sequence << PLACE_BITS;
        let log = self.log(app);
        let offsets: Vec<u64> = (first..).take(entries.len()).collect();
        for (offset, delivery) in offsets.iter().zip(entries) {
            log.push(epoch, *offset, delivery.clone());
        }
        let appended = Appended {
            epoch,
            offsets,
            duplicate: false,
        };
        if let Some(key) = key {
            log.keys.insert(key.to_owned(), appended.clone());
        }
        log.trim();
        appended
    }
}

impl Log {
    fn new(floor: u64) -> Self {
        Self {
            entries: VecDeque::new(),
            base: 0,
            first: 0,
            window_bytes: 0,
            window: Window::INITIAL,
            dropped: floor,
            gone: floor,
            head: floor,
            keys: HashMap::new(),
            told: Vec::new(),
        }
    }

    fn push(&mut self, epoch: Epoch, offset: u64, delivery: Arc<Delivery>) {
        let bytes = delivery.size_estimate();
        self.head = offset;
        self.window_bytes += bytes;
        self.told.push(Told {
            position: Position { epoch, offset },
            at: now(),
            delivery: delivery.clone(),
        });
        self.entries.push_back(Stored {
            offset,
            at: now(),
            bytes,
            delivery,
        });
    }

    fn trim(&mut self) {
        let now = now();
        while let Some(oldest) = self.entries.get(self.first - self.base) {
            let packets = self.entries.len() - (self.first - self.base);
            let over = packets as u64 > self.window.packets_max
                || self.window_bytes as u64 > self.window.bytes_max
                || now.duration_since(oldest.at) > self.window.age;
            if !over {
                break;
            }
            self.window_bytes -= oldest.bytes;
            self.dropped = oldest.offset;
            self.first += 1;
        }
        while self.base < self.first
            && let Some(oldest) = self.entries.front()
            && now.duration_since(oldest.at) > STREAM_AGE.max(self.window.age)
        {
            self.gone = oldest.offset;
            self.base += 1;
            self.entries.pop_front();
        }
        let dropped = self.dropped;
        self.keys
            .retain(|_, appended| appended.offsets.last().is_none_or(|last| *last > dropped));
    }

    fn after(&self, offset: u64) -> impl Iterator<Item = &Stored> {
        let from = self.entries.partition_point(|stored| stored.offset <= offset);
        self.entries.range(from..)
    }

    /// What a tail has not seen yet.
    pub(super) fn entries_after(&self, offset: u64, entries_max: usize) -> Vec<(u64, Arc<Delivery>)> {
        let found = self.after(offset).take(entries_max);
        found
            .map(|stored| (stored.offset, stored.delivery.clone()))
            .collect()
    }
}

pub(super) fn partition_of(app: &str) -> usize {
    app.bytes().map(usize::from).sum::<usize>() % PARTITIONS
}
