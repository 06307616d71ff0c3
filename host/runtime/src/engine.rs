use std::{fmt, io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use wasmtime::{
    Config, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails, component::Linker,
};

use crate::{
    CompileError, CompileLimits, Component, Digest,
    cache::Cache,
    clock::{Clock, Ticker},
    compiler::Compiler,
    imports,
    state::State,
};

/// Compiles components and holds the memory that instances live in. One a process; cheap to clone.
///
/// It serves the plain world. Components whose exports are `async func` need a second engine, with wasmtime's
/// concurrency support (twice the cost of a call): it would be another `Engine` built by [`Engine::new`] with one
/// setting changed, and everything below it would stay as it is.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    wasm: wasmtime::Engine,
    linker: Linker<State>,
    ticker: Ticker,
    compiler: Compiler,
    cache: Option<Cache>,
}

/// Sizes of the process's pool. All of it is address space until used.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Instances alive at once, of all apps. 10,000 is near what a Linux process can have: each maps its memory
    /// image and guard regions of its own, and `vm.max_map_count` is 65,530 by default.
    pub instances_max: u32,
    /// Calls running or waiting at once: a stack of 2 MiB of address space each.
    pub calls_max: u32,
    /// The largest linear memory that any app's limit may allow, at most 4 GiB.
    pub memory_bytes_max: usize,
    /// Where compiled code is kept, made with mode 0700. `None`: nothing is kept.
    pub cache_dir: Option<PathBuf>,
    pub compile_threads: usize,
    /// Components that may wait for a thread; beyond, compiling is refused.
    pub compile_queue_max: usize,
}

/// Why the engine cannot start. The operator is at fault, or the machine too small.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "cannot reserve {reserve_gib} GiB of address space for {instances_max} instances: {reason}; \
         lower the number of instances, or lift the limit on address space (ulimit -v, container)"
    )]
    Pool {
        reserve_gib: u64,
        instances_max: u32,
        reason: String,
    },
    #[error("cannot keep compiled code in {}: {reason}", .dir.display())]
    Cache { dir: PathBuf, reason: String },
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    #[error("wasmtime refused its configuration: {0}")]
    Config(String),
}

/// Linear memories of a component: Rust guests need 1, QuickJS 2.
const MEMORIES_PER_INSTANCE: u32 = 2;

/// Tables of a component: QuickJS needs 3, of 8,000 elements and more.
const TABLES_PER_INSTANCE: u32 = 3;
const TABLE_ELEMENTS: usize = 20_000;

/// Core modules of a component: Rust's has 3 with its shims, others up to 8 on average and 20 at most.
const CORES_PER_INSTANCE: u32 = 8;
const CORES_MAX: u32 = 20;

/// Address space of a memory: with all of 4 GiB reserved no access needs a bounds check (a smaller reservation
/// made QuickJS 50 % slower). The guard region catches constant offsets.
const MEMORY_RESERVATION: u64 = 4 << 30;
const MEMORY_GUARD: u64 = 32 << 20;

/// Address space of a process on x86-64: 128 TiB, of which we leave a quarter.
/// 10,000 instances: 20,000 memories of 4.03 GiB are 78.8 TiB.
const ADDRESS_SPACE: u64 = 96 << 40;

impl Engine {
    pub fn new(config: EngineConfig) -> Result<Self, StartError> {
        let wasm = wasmtime::Engine::new(&wasm_config(&config)?).map_err(|error| StartError::Pool {
            reserve_gib: reserve_bytes(&config) >> 30,
            instances_max: config.instances_max,
            reason: format!("{error:#}"),
        })?;
        let mut linker = Linker::new(&wasm);
        imports::link(&mut linker).map_err(|error| StartError::Config(format!("{error:#}")))?;
        let cache = match config.cache_dir {
            None => None,
            Some(dir) => Some(
                Cache::open(dir.clone(), &wasm).map_err(|error| StartError::Cache {
                    dir,
                    reason: error.to_string(),
                })?,
            ),
        };
        let compiler = Compiler::start(config.compile_threads, config.compile_queue_max);
        let compiler = compiler.map_err(StartError::Thread)?;
        let ticker = Ticker::start(wasm.clone()).map_err(StartError::Thread)?;
        Ok(Self(Arc::new(Inner {
            wasm,
            linker,
            ticker,
            compiler,
            cache,
        })))
    }

    /// Compiles a component and checks it against the world; on a thread of its own, or from the cache.
    pub async fn compile(&self, wasm: Bytes, limits: CompileLimits) -> Result<Component, CompileError> {
        self.0.compiler.compile(self.clone(), wasm, limits).await
    }

    /// A component whose code is in the cache: maps it, without compiling. `None` if it is not there, or damaged.
    pub fn load(&self, digest: Digest) -> Option<Component> {
        let code = self.0.cache.as_ref()?.load(&self.0.wasm, digest)?;
        Component::link(self, &code, digest).ok()
    }

    /// Whether [`Self::load`] takes a fraction of a millisecond, and reads no disk: so little that another thread would
    /// be longer in waking.
    pub fn loads_quickly(&self, digest: Digest) -> bool {
        self.0.cache.as_ref().is_some_and(|cache| cache.is_quick(digest))
    }

    /// Whether [`Self::load`] would find it.
    pub fn has(&self, digest: Digest) -> bool {
        self.0.cache.as_ref().is_some_and(|cache| cache.has(digest))
    }

    /// Of which components compiled code is on disk, by their digests in hex. Blocks.
    pub fn kept(&self) -> io::Result<Vec<String>> {
        self.0.cache.as_ref().map_or(Ok(Vec::new()), Cache::kept)
    }

    /// Removes a component's compiled code from disk; instances of it run on. Blocks.
    pub fn forget(&self, digest: Digest) -> io::Result<()> {
        self.0.cache.as_ref().map_or(Ok(()), |cache| cache.forget(digest))
    }

    /// Removes what this engine could not run: code of other versions and settings, and what was left half written. For
    /// a process that has the folder alone, before it compiles anything. Blocks.
    pub fn forget_strange(&self) -> io::Result<()> {
        self.0.cache.as_ref().map_or(Ok(()), Cache::forget_strange)
    }

    /// Whether compiled code is kept on disk.
    pub fn has_cache(&self) -> bool {
        self.0.cache.is_some()
    }

    pub(crate) fn wasm(&self) -> &wasmtime::Engine {
        &self.0.wasm
    }

    pub(crate) fn linker(&self) -> &Linker<State> {
        &self.0.linker
    }

    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.0.cache.as_ref()
    }

    /// Counts ticks while calls run.
    pub(crate) fn clock(&self) -> &Arc<Clock> {
        self.0.ticker.clock()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

fn wasm_config(config: &EngineConfig) -> Result<Config, StartError> {
    let reserve = reserve_bytes(config);
    if reserve > ADDRESS_SPACE {
        return Err(StartError::Pool {
            reserve_gib: reserve >> 30,
            instances_max: config.instances_max,
            reason: format!("a process has {} GiB", ADDRESS_SPACE >> 30),
        });
    }
    if config.memory_bytes_max as u64 > MEMORY_RESERVATION {
        let text = format!(
            "memory_bytes_max is {}; at most {MEMORY_RESERVATION}",
            config.memory_bytes_max
        );
        return Err(StartError::Config(text));
    }
    let instances = config.instances_max;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORES_PER_INSTANCE))
        .total_memories(instances.saturating_mul(MEMORIES_PER_INSTANCE))
        .total_tables(instances.saturating_mul(TABLES_PER_INSTANCE))
        .total_stacks(config.calls_max)
        .max_core_instances_per_component(CORES_MAX)
        .max_memories_per_component(MEMORIES_PER_INSTANCE)
        .max_tables_per_component(TABLES_PER_INSTANCE)
        .max_memory_size(config.memory_bytes_max)
        .table_elements(TABLE_ELEMENTS)
        // What guests dirty lies behind a megabyte of stack: zeroing all that by hand costs more than giving pages back.
        .linear_memory_keep_resident(0)
        // Tables are a page at most, mostly: zeroed, that is two calls of `madvise` and a page fault less an instance.
        .table_keep_resident(4096);
    let mut wasm = Config::new();
    wasm.allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_reservation(MEMORY_RESERVATION)
        .memory_guard_size(MEMORY_GUARD)
        .memory_init_cow(true)
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable);
    Ok(wasm)
}

/// Address space of the pool's memories, which is nearly all of it.
fn reserve_bytes(config: &EngineConfig) -> u64 {
    let memories = u64::from(config.instances_max).saturating_mul(u64::from(MEMORIES_PER_INSTANCE));
    memories.saturating_mul(MEMORY_RESERVATION + MEMORY_GUARD)
}
