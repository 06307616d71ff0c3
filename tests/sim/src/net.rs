//! A backplane that many nodes share, in the manner of NATS, on the runtime's clock: one core that everything is stored
//! in, and a handle for each node whose every message takes time, waits while its node is cut off, and may be lost.
//!
//! One queue of events, ordered by time, is all there is: what a seed draws, happens. Faults are told to [`Net`] while it
//! runs; without any it passes the suite of every backplane.
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant as Point},
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

mod buckets;
mod call;
mod faults;
mod handle;
mod links;
mod log;
mod tail;
mod topics;

pub use faults::Faults;
pub use handle::Handle;
pub use log::Told;

use self::{buckets::Bucket, links::NodeLink, log::Partition, tail::Tails, topics::Topics};
use crate::Random;

/// The shared core and its clock. Cheap to clone.
#[derive(Clone)]
pub struct Net(Arc<Shared>);

struct Shared {
    core: Mutex<Core>,
    /// The first event changed.
    rearmed: Notify,
}

/// Everything that is stored, and everything that is on its way.
struct Core {
    random: Random,
    faults: Faults,
    /// By when, then by when it was planned: nothing overtakes by accident.
    events: BTreeMap<(Point, u64), Event>,
    planned: u64,
    /// The leader pauses: what arrives is held, in order.
    held: Option<Vec<Event>>,
    nodes: Vec<NodeLink>,
    partitions: Vec<Partition>,
    tails: Tails,
    buckets: BTreeMap<String, Bucket>,
    topics: Topics,
    blobs: BTreeMap<String, bytes::Bytes>,
}

type Event = Box<dyn FnOnce(&mut Core) + Send>;

impl Net {
    pub fn new(seed: u64, faults: Faults) -> Self {
        let mut random = Random::new(seed);
        let partitions = (0..log::PARTITIONS)
            .map(|_| Partition::new(&mut random))
            .collect();
        let core = Core {
            random,
            faults,
            events: BTreeMap::new(),
            planned: 0,
            held: None,
            nodes: Vec::new(),
            partitions,
            tails: Tails::default(),
            buckets: BTreeMap::new(),
            topics: Topics::default(),
            blobs: BTreeMap::new(),
        };
        Self(Arc::new(Shared {
            core: Mutex::new(core),
            rearmed: Notify::new(),
        }))
    }

    /// Lets what is planned happen. Must be polled for as long as anybody uses a handle.
    pub async fn run(self) {
        loop {
            let next = self
                .0
                .core
                .lock()
                .events
                .first_key_value()
                .map(|((due, _), _)| *due);
            match next {
                Some(due) if due <= now() => self.0.core.lock().fire(),
                Some(due) => tokio::select! {
                    biased;
                    () = self.0.rearmed.notified() => {}
                    () = tokio::time::sleep_until(Instant::from_std(due)) => {}
                },
                None => self.0.rearmed.notified().await,
            }
        }
    }

    /// Another node's connection to all this.
    pub fn node(&self) -> Handle {
        let node = self.with(|core| {
            core.nodes.push(NodeLink::default());
            core.nodes.len() - 1
        });
        Handle::new(self.clone(), node)
    }

    /// From now on, these.
    pub fn set_faults(&self, faults: Faults) {
        self.with(|core| core.faults = faults);
    }

    /// The leader answers nothing for a while, then everything that came meanwhile, in order.
    pub fn stall(&self, time: Duration) {
        self.with(|core| {
            if core.held.is_none() {
                core.held = Some(Vec::new());
                core.after(time, |core| {
                    core.held
                        .take()
                        .into_iter()
                        .flatten()
                        .for_each(|event| event(core));
                });
            }
        });
    }

    /// Events that are planned, for a look at what piles up.
    pub fn planned(&self) -> usize {
        self.0.core.lock().events.len()
    }

    fn with<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        let mut core = self.0.core.lock();
        let first = core.events.first_key_value().map(|(key, _)| *key);
        let result = act(&mut core);
        if core.events.first_key_value().map(|(key, _)| *key) != first {
            self.0.rearmed.notify_one();
        }
        result
    }
}

impl Core {
    fn fire(&mut self) {
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > now() {
                return;
            }
            let event = entry.remove();
            event(self);
        }
    }

    fn at(&mut self, due: Point, event: impl FnOnce(&mut Self) + Send + 'static) {
        self.planned += 1;
        self.events.insert((due, self.planned), Box::new(event));
    }

    fn after(&mut self, time: Duration, event: impl FnOnce(&mut Self) + Send + 'static) {
        self.at(now() + time, event);
    }
}

fn now() -> Point {
    Instant::now().into_std()
}
