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
    cpu_spent: AtomicU64,
    /// Whether `cpu` owed time when it was last looked at: spares calls the lock.
    dry: AtomicBool,
    /// Nanoseconds that its long calls have run, in the lanes' reckoning.
    had_in_lanes: Arc<AtomicU64>,
    slices_waited: AtomicU64,
    lines: Mutex<Lines>,
    http: Mutex<Bucket>,
    requests: AtomicU64,
}

/// What an app has used on this node since it was woken there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub cpu: Duration,
    /// Those that were dropped are not among them.
    pub log_lines: u64,
    /// Those that were refused are not among them.
    pub http_requests: u64,
}

#[derive(Debug, Default)]
struct Lines {
    bucket: Bucket,
    taken: u64,
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
            cpu_spent: AtomicU64::new(0),
            dry: AtomicBool::new(false),
            had_in_lanes: Arc::default(),
            slices_waited: AtomicU64::new(0),
            lines: Mutex::default(),
            http: Mutex::default(),
            requests: AtomicU64::new(0),
        }
    }

    pub fn hits(&self) -> &Arc<Hits> {
        &self.hits
    }

    pub fn spent(&self) -> Spent {
        Spent {
            cpu: Duration::from_nanos(self.cpu_spent.load(Relaxed)),
            log_lines: self.lines.lock().taken,
            http_requests: self.requests.load(Relaxed),
        }
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
        self.cpu_spent.fetch_add(nanos, Relaxed);
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
            lines.taken += 1;
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
        if admitted {
            self.requests.fetch_add(1, Relaxed);
        } else {
            self.hits.bump(Limit::HttpRequestsPerSecond);
        }
        admitted
    }
}

/// The clock that time-outs go by: a test's stands still with them.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
