use router::Limit;

/// What one app's code may use; each worker's own but for what is counted by the second, which is a node's
/// ([`crate::Quota`]). Every limit is enforced here, and named in the failure it causes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// CPU of one call, counted in slices of a fraction of a millisecond. Instantiation has as much again, as it has of
    /// `wall_ms_per_call`.
    pub cpu_ms_per_call: u32,
    /// CPU of all calls of the app on the node, in a second; a second's worth may be used at once. Calls beyond wait,
    /// `wall_ms_per_call` at most.
    pub cpu_ms_per_second: u32,
    /// Time from a call's start to its end, waiting included.
    pub wall_ms_per_call: u32,
    /// All linear memories of an instance together.
    pub memory_bytes: usize,
    /// Instances alive at once in this worker; further calls wait in order.
    pub instances: usize,
    /// Calls after which an instance is replaced by a fresh one.
    pub calls_per_instance: u32,
    /// How long an idle instance is kept, to the precision of the caller's [`crate::Worker::reap`].
    pub idle_ms: u32,
    /// Effects and timer changes of one call.
    pub effects_per_call: usize,
    /// Arguments, attachments, rooms, state and timer payloads of one call.
    pub effect_bytes_per_call: usize,
    /// Sockets that the emits of one call may reach on this node, as far as this core can tell.
    pub fan_out_per_call: usize,
    /// Rooms of one socket. What a call asks for other sockets than its own is for the session to check.
    pub rooms_per_socket: usize,
    /// Key-value reads, listings and `fetch-sockets` of one call.
    pub reads_per_call: usize,
    /// Keys that one call may write or delete.
    pub kv_writes_per_call: usize,
    /// One value of the key-value store; the backplane takes at most 500,000 bytes.
    pub kv_value_bytes: usize,
    /// Key-value bytes, read and written, of one call; also the most that a single host call may pass.
    pub host_bytes_per_call: usize,
    /// Log lines of one call, stdout and stderr included; further ones are dropped and counted in a last line.
    pub log_lines_per_call: usize,
    /// Log lines of the app on the node; further ones are dropped, and counted in the next that is not.
    pub log_lines_per_second: u32,
    /// HTTP requests that one call may send.
    pub http_requests_per_call: usize,
    /// HTTP requests of the app on the node.
    pub http_requests_per_second: u32,
}

/// The defaults of an app's `[limits]`.
impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_ms_per_call: 50,
            cpu_ms_per_second: 1_000,
            wall_ms_per_call: 10_000,
            memory_bytes: 64 << 20,
            instances: 64,
            calls_per_instance: 10_000,
            idle_ms: 1_000,
            effects_per_call: 1_000,
            // Eight of the largest packets that clients take by default (1 MB).
            effect_bytes_per_call: 8 << 20,
            fan_out_per_call: 100_000,
            rooms_per_socket: 1_000,
            reads_per_call: 1_000,
            kv_writes_per_call: 1_000,
            kv_value_bytes: 64 << 10,
            host_bytes_per_call: 32 << 20,
            log_lines_per_call: 100,
            log_lines_per_second: 1_000,
            http_requests_per_call: 10,
            http_requests_per_second: 50,
        }
    }
}

/// A limit that ends the call: travels through the guest's stack as a trap.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LimitHit(pub(crate) String);

/// Counts one thing within one call.
pub(crate) struct Meter {
    limit: Limit,
    used: usize,
    tried: usize,
    refused: bool,
}

/// How a meter refuses.
pub(crate) enum Over {
    /// The guest is told.
    Refuse(String),
    /// The guest was told and went on: it asked for ten times the limit.
    Trap(LimitHit),
}

/// How far beyond a limit a guest may ask before the call is ended.
const PATIENCE: usize = 10;

impl Meter {
    pub(crate) const fn new(limit: Limit) -> Self {
        Self {
            limit,
            used: 0,
            tried: 0,
            refused: false,
        }
    }

    pub(crate) fn take(&mut self, amount: usize, max: usize) -> Result<(), Over> {
        // At least one a try, so that a flood of nothing ends as well; no more than the limit, so that one try alone
        // never ends the call.
        self.tried = self.tried.saturating_add(amount.min(max).max(1));
        let used = self.used.saturating_add(amount);
        if used <= max {
            self.used = used;
            return Ok(());
        }
        self.refused = true;
        let text = self.limit.describe(max);
        if self.tried > max.saturating_mul(PATIENCE).max(PATIENCE) {
            return Err(Over::Trap(LimitHit(text)));
        }
        Err(Over::Refuse(text))
    }

    /// Begins a call anew; answers the limit if the last one was refused something.
    pub(crate) fn reset(&mut self) -> Option<Limit> {
        self.used = 0;
        self.tried = 0;
        std::mem::take(&mut self.refused).then_some(self.limit)
    }
}
