use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters since [`connect`](crate::Nats::connect), for `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Times that either connection came back.
    pub reconnects: u64,
    /// Appends accepted.
    pub appends: u64,
    /// Messages sent again since no answer came.
    pub retries: u64,
    /// Appends whose key had been seen.
    pub duplicates: u64,
    /// Times that a partition's entries were missed for good.
    pub gaps: u64,
    /// Published payloads that some subscriber of this node had no room for.
    pub dropped: u64,
    /// Messages sent and not answered now.
    pub in_flight: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) reconnects: AtomicU64,
    pub(crate) appends: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) gaps: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) in_flight: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> Stats {
        Stats {
            reconnects: self.reconnects.load(Relaxed),
            appends: self.appends.load(Relaxed),
            retries: self.retries.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            gaps: self.gaps.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
