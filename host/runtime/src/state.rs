use std::sync::Arc;

use router::{Limit, Trace};
use wasmtime::{
    ResourceLimiter, StoreContextMut, UpdateDeadline,
    component::{HasData, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::{
    fair::Seat,
    host::{Host, LineOf},
    imports::{http::HttpHooks, log::Lines, stdio::Captured},
    limits::{LimitHit, Limits},
    pace::Pace,
    transaction::Transaction,
};

/// What an instance's imports work on: the store's data.
pub(crate) struct State {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) transaction: Transaction,
    /// Of the call that runs.
    pub(crate) trace: Option<Trace>,
    pub(crate) lines: Lines,
    /// stdout and stderr of the guest.
    pub(crate) captured: Captured,
    pub(crate) memory: MemoryLimiter,
    /// Whether the component can be told of answers and timers.
    pub(crate) takes_acks: bool,
    pub(crate) takes_timers: bool,
    pub(crate) table: ResourceTable,
    pace: Arc<Pace>,
    pub(crate) seat: Arc<Seat>,
    /// Nanoseconds that this call has run, in whole slices.
    ran: u64,
    /// Made when the guest first asks for clocks, randomness or its standard streams; many never do.
    wasi: Option<WasiCtx>,
    http: WasiHttpCtx,
    http_hooks: HttpHooks,
}

/// Handles that a guest may hold: streams, pollables, buckets, HTTP bodies.
const RESOURCES_MAX: usize = 4_096;

/// One read of randomness.
const RANDOM_BYTES_MAX: u64 = 1 << 20;

impl State {
    pub(crate) fn new(
        host: Arc<dyn Host>,
        limits: Arc<Limits>,
        exports: crate::Exports,
        pace: Arc<Pace>,
        seat: Arc<Seat>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        let quota = Arc::clone(seat.quota());
        Self {
            transaction: Transaction::new(Arc::clone(quota.hits())),
            trace: None,
            lines: Lines::default(),
            captured: Captured::default(),
            memory: MemoryLimiter {
                used: 0,
                max: limits.memory_bytes,
                denied: false,
            },
            takes_acks: exports.acks,
            takes_timers: exports.timers,
            table,
            pace,
            seat,
            ran: 0,
            wasi: None,
            http: WasiHttpCtx::new(),
            http_hooks: HttpHooks::new(Arc::clone(&host), &limits, quota),
            host,
            limits,
        }
    }

    /// Begins a call: everything that is counted by call starts again.
    pub(crate) fn begin(&mut self, socket: Option<router::SocketView>, trace: Option<Trace>) {
        self.trace = trace;
        self.ran = 0;
        self.memory.denied = false;
        self.lines.begin();
        self.http_hooks.begin(trace);
        self.transaction.begin(socket);
    }

    /// What goes with the call's log lines.
    pub(crate) fn line_of(&self) -> LineOf<'_> {
        let socket = self.transaction.socket.as_ref();
        LineOf {
            socket: socket.map(|socket| &*socket.id),
            trace: self.trace.as_ref(),
        }
    }
}

/// Called by wasmtime when the epoch passed the call's deadline.
///
/// Every slice gives the other tasks of this thread their turn, and the core to the app that has had least of it, so
/// guests that spin cost others about one slice, however many they are.
pub(crate) fn on_tick(mut store: StoreContextMut<'_, State>) -> wasmtime::Result<UpdateDeadline> {
    let state = store.data_mut();
    let Some(ran) = state.pace.slice() else {
        // It has only begun, or the deadline passed while the guest waited for us.
        return Ok(UpdateDeadline::Continue(1));
    };
    // In its second slice: in the first, the clock cannot tell a guest that ran from a thread that had to wait for its
    // processor, as threads of a full machine do all the time.
    if state.ran > 0 {
        state.pace.found_long();
    }
    state.ran = state.ran.saturating_add(ran);
    let max = state.limits.cpu_ms_per_call;
    if state.ran > u64::from(max) * 1_000_000 {
        return Err(LimitHit(Limit::CpuMsPerCall.describe(max)).into());
    }
    // Not `Yield`: that wakes at once, and the thread's I/O and other apps would wait.
    let turn = Arc::clone(&state.pace).next_slice();
    Ok(UpdateDeadline::YieldCustom(1, Box::pin(turn)))
}

/// Bounds all memories of an instance together, and remembers that it did.
pub(crate) struct MemoryLimiter {
    used: usize,
    max: usize,
    pub(crate) denied: bool,
}

/// QuickJS and others need 8,000.
const TABLE_ELEMENTS_MAX: usize = 20_000;

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.max {
            self.denied = true;
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.denied = true;
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let captured = &self.captured;
        let ctx = self.wasi.get_or_insert_with(|| {
            // No files, arguments, environment or stdin by default; no address may be reached either, but do
            // not even make sockets.
            let mut builder = WasiCtx::builder();
            builder
                .allow_tcp(false)
                .allow_udp(false)
                .max_random_size(RANDOM_BYTES_MAX);
            builder
                .stdout(captured.stdout.clone())
                .stderr(captured.stderr.clone());
            builder.build()
        });
        WasiCtxView {
            ctx,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.http_hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

/// Lets the linker hand `&mut State` to the imports.
pub(crate) struct HasState;

impl HasData for HasState {
    type Data<'a> = &'a mut State;
}
