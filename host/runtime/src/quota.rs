use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use router::{Bucket, Hits, Limit};

/// What one app uses by the second on this node: shared by its workers, on whichever core and of whichever version.
/// The rates themselves are each worker's [`crate::Limits`].
#[derive(Debug)]
pub struct Quota {
    id: u64,
    hits: Arc<Hits>,
    /// In nanoseconds.
    cpu: Mutex<Bucket>,
    /// Whether `cpu` owed time when it was last looked at: spares calls the lock.
    dry: AtomicBool,
    /// Nanoseconds that its long calls have run, in the lanes' reckoning.
    had_in_lanes: Arc<AtomicU64>,
    slices_waited: AtomicU64,
    lines: Mutex<Lines>,
    http: Mutex<Bucket>,
}

#[derive(Debug, Default)]
struct Lines {
    bucket: Bucket,
    /// Since the last line that was taken.
    dropped: u64,
}

impl Quota {
    pub fn new(hits: Arc<Hits>) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Self {
            id: IDS.fetch_add(1, Relaxed),
            hits,
            cpu: Mutex::default(),
            dry: AtomicBool::new(false),
            had_in_lanes: Arc::default(),
            slices_waited: AtomicU64::new(0),
            lines: Mutex::default(),
            http: Mutex::default(),
        }
    }

    pub fn hits(&self) -> &Arc<Hits> {
        &self.hits
    }

    /// Tells apps apart.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// How many slices of long calls ran while calls of this app waited to begin, of all calls together.
    pub fn slices_waited(&self) -> u64 {
        self.slices_waited.load(Relaxed)
    }

    pub(crate) fn waited(&self, slices: u64) {
        self.slices_waited.fetch_add(slices, Relaxed);
    }

    pub(crate) fn had_in_lanes(&self) -> &Arc<AtomicU64> {
        &self.had_in_lanes
    }

    /// Time on a processor was used, at an allowance of `ms_per_second`.
    pub(crate) fn spend_cpu(&self, nanos: u64, ms_per_second: u32) {
        let now = now();
        let mut bucket = self.cpu.lock();
        bucket.take(nanos, u64::from(ms_per_second) * 1_000_000, now);
        self.dry.store(!bucket.wait(now).is_zero(), Relaxed);
    }

    /// How long the app has to wait before it may use more.
    pub(crate) fn cpu_wait(&self) -> Duration {
        if !self.dry.load(Relaxed) {
            return Duration::ZERO;
        }
        let bucket = self.cpu.lock();
        let wait = bucket.wait(now());
        self.dry.store(!wait.is_zero(), Relaxed);
        wait
    }

    /// Whether one more line may be logged; if so, how many were dropped before it.
    pub(crate) fn admit_line(&self, per_second: u32) -> Option<u64> {
        let mut lines = self.lines.lock();
        if lines.bucket.try_take(1, per_second.into(), now()) {
            return Some(std::mem::take(&mut lines.dropped));
        }
        lines.dropped += 1;
        drop(lines);
        self.hits.bump(Limit::LogLinesPerSecond);
        None
    }

    /// Whether one more HTTP request may be sent.
    pub(crate) fn admit_request(&self, per_second: u32) -> bool {
        let admitted = self.http.lock().try_take(1, per_second.into(), now());
        if !admitted {
            self.hits.bump(Limit::HttpRequestsPerSecond);
        }
        admitted
    }
}

/// The clock that time-outs go by: a test's stands still with them.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
