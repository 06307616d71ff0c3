use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use compact::Moment;

/// A limit of an app that something can be ended, refused or held back at: a key of the manifest's `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Limit {
    CpuMsPerCall,
    CpuMsPerSecond,
    WallMsPerCall,
    MemoryBytes,
    Instances,
    Connections,
    Sockets,
    EventsQueued,
    EventsPerSecond,
    BytesPerSecond,
    AppEventsPerSecond,
    AppBytesPerSecond,
    AppBytesOutPerSecond,
    RoomsPerSocket,
    QueueBytes,
    EffectsPerCall,
    EffectBytesPerCall,
    FanOutPerCall,
    ReadsPerCall,
    KvWritesPerCall,
    KvValueBytes,
    KvBytes,
    KvKeys,
    HostBytesPerCall,
    LogLinesPerCall,
    LogLinesPerSecond,
    HttpRequestsPerCall,
    HttpRequestsPerSecond,
    Timers,
    CompileMs,
    ComponentBytes,
}

/// In the order of [`Limit`].
const NAMES: [&str; LIMITS] = [
    "cpu_ms_per_call",
    "cpu_ms_per_second",
    "wall_ms_per_call",
    "memory_bytes",
    "instances",
    "connections",
    "sockets",
    "events_queued",
    "events_per_second",
    "bytes_per_second",
    "app_events_per_second",
    "app_bytes_per_second",
    "app_bytes_out_per_second",
    "rooms_per_socket",
    "queue_bytes",
    "effects_per_call",
    "effect_bytes_per_call",
    "fan_out_per_call",
    "reads_per_call",
    "kv_writes_per_call",
    "kv_value_bytes",
    "kv_bytes",
    "kv_keys",
    "host_bytes_per_call",
    "log_lines_per_call",
    "log_lines_per_second",
    "http_requests_per_call",
    "http_requests_per_second",
    "timers",
    "compile_ms",
    "component_bytes",
];

const LIMITS: usize = Limit::ComponentBytes as usize + 1;

impl Limit {
    /// The manifest's key, without its section.
    pub fn name(self) -> &'static str {
        NAMES.get(self as usize).copied().unwrap_or_default()
    }

    /// How a limit is named in errors and failures: `kv_keys = 1000`.
    pub fn describe(self, max: impl std::fmt::Display) -> String {
        format!("{} = {max}", self.name())
    }
}

/// How often one app has hit each of its limits on this node: for its metrics. Shared by its cores.
#[derive(Debug, Default)]
pub struct Hits([AtomicU64; LIMITS]);

impl Hits {
    pub fn bump(&self, limit: Limit) {
        if let Some(count) = self.0.get(limit as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Counts a failure by the limit that its text begins with ([`Limit::describe`]).
    pub fn bump_named(&self, text: &str) {
        let name = text.split(' ').next().unwrap_or_default();
        if let Some(index) = NAMES.iter().position(|known| *known == name)
            && let Some(count) = self.0.get(index)
        {
            count.fetch_add(1, Relaxed);
        }
    }

    pub fn get(&self, limit: Limit) -> u64 {
        self.0.get(limit as usize).map_or(0, |count| count.load(Relaxed))
    }

    /// Name and count of all limits, those never hit included.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES
            .iter()
            .copied()
            .zip(self.0.iter().map(|count| count.load(Relaxed)))
    }
}

/// A token bucket that holds one second's worth of its rate and may go into debt: what was taken has happened, who
/// takes next waits. Without a clock of its own, and 8 bytes small: every connection has two.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// When all that was taken is paid for. `None`: long ago.
    paid: Option<Moment>,
}

/// A bucket's size, as time.
const BURST_NS: u64 = 1_000_000_000;

impl Bucket {
    /// Takes `amount` at a rate of `per_second`, which may differ from call to call: settings change.
    pub fn take(&mut self, amount: u64, per_second: u64, now: impl Into<Moment>) {
        // An hour at most: a debt that nobody lives to see paid is as good as any larger one. What does not fit at nine digits
        // is a matter of gigabytes.
        let cost = amount.saturating_mul(1_000_000_000) / per_second.max(1);
        let cost = cost.min(DEBT_NS_MAX);
        let now = now.into();
        let start = self.paid.map_or(now, |paid| paid.max(now));
        self.paid = Some(start.plus(cost));
    }

    /// How long whoever wants to take more has to wait: zero while the second's worth is not used up.
    pub fn wait(&self, now: impl Into<Moment>) -> Duration {
        let owed = self.paid.map_or(0, |paid| paid.nanos_since(now.into()));
        Duration::from_nanos(owed.saturating_sub(BURST_NS))
    }

    /// Takes if nothing is owed; answers whether it did.
    pub fn try_take(&mut self, amount: u64, per_second: u64, now: impl Into<Moment>) -> bool {
        let now = now.into();
        // One at a rate of ten needs a tenth of the second to be free, or ten and one would pass at once.
        let mut after = *self;
        after.take(amount, per_second, now);
        let fits = after.wait(now).is_zero();
        if fits {
            *self = after;
        }
        fits
    }
}

const DEBT_NS_MAX: u64 = 3_600_000_000_000;

#[cfg(test)]
mod tests;
