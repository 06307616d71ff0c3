use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{Component, Digest, Engine};

/// What compiling one component may take.
#[derive(Clone, Copy, Debug)]
pub struct CompileLimits {
    pub wasm_bytes_max: usize,
    /// From asking to the answer, waiting for a thread included. The thread itself cannot be interrupted: it ends
    /// its work and keeps it in the cache.
    pub time_max: Duration,
}

/// Why a component cannot be run. The app is at fault unless said otherwise.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error("component_bytes = {bytes_max}: the component is {bytes} bytes")]
    TooBig { bytes: usize, bytes_max: usize },
    #[error("compile_ms = {}: compiling took longer", .0.as_millis())]
    TimedOut(Duration),
    #[error("this is a core module, not a component: build with --target wasm32-wasip2")]
    CoreModule,
    #[error("this is not WebAssembly: it does not begin with \\0asm")]
    NotWasm,
    #[error("not a valid component: {0}")]
    Invalid(String),
    #[error("component does not export {missing}; it exports {exported}")]
    Export { missing: String, exported: String },
    #[error("component imports {name}, which is not offered; it may import {offered}")]
    Import { name: String, offered: String },
    /// An interface has other functions or types than ours.
    #[error("component does not fit the world wakeline:app/app: {0}")]
    Mismatch(String),
    /// We are short of something: retry later.
    #[error("too many components are waiting to be compiled")]
    Busy,
    /// We are at fault.
    #[error("the compiler failed: {0}")]
    Broken(String),
}

/// Threads that compile, and a bounded queue before them.
pub(crate) struct Compiler {
    jobs: SyncSender<Job>,
}

struct Job {
    /// Travels with the job, so that idle threads do not keep the engine alive.
    engine: Engine,
    wasm: Bytes,
    answer: oneshot::Sender<Result<Component, CompileError>>,
}

/// Cranelift recurses over expressions.
const STACK_BYTES: usize = 16 << 20;

impl Compiler {
    /// The threads end when the compiler is dropped.
    pub(crate) fn start(threads: usize, queue_max: usize) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(queue_max);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads.max(1) {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new()
                .name("compile".to_owned())
                .stack_size(STACK_BYTES);
            thread.spawn(move || while work(&queue) {})?;
        }
        Ok(Self { jobs })
    }

    pub(crate) async fn compile(
        &self,
        engine: Engine,
        wasm: Bytes,
        limits: CompileLimits,
    ) -> Result<Component, CompileError> {
        if wasm.len() > limits.wasm_bytes_max {
            return Err(CompileError::TooBig {
                bytes: wasm.len(),
                bytes_max: limits.wasm_bytes_max,
            });
        }
        check_header(&wasm)?;
        let (answer, answered) = oneshot::channel();
        self.jobs
            .try_send(Job { engine, wasm, answer })
            .map_err(|error| match error {
                TrySendError::Full(_) => CompileError::Busy,
                TrySendError::Disconnected(_) => CompileError::Broken("its threads are gone".to_owned()),
            })?;
        match tokio::time::timeout(limits.time_max, answered).await {
            Err(_) => Err(CompileError::TimedOut(limits.time_max)),
            Ok(Err(_)) => Err(CompileError::Broken("its thread is gone".to_owned())),
            Ok(Ok(result)) => result,
        }
    }
}

/// Does one job. False when there will be none.
fn work(queue: &Mutex<Receiver<Job>>) -> bool {
    let Ok(job) = queue.lock().recv() else {
        return false;
    };
    let Job { engine, wasm, answer } = job;
    if !answer.is_closed() {
        let result = catch_unwind(AssertUnwindSafe(|| compile(&engine, &wasm)));
        let result = result.unwrap_or_else(|_| Err(CompileError::Broken("it panicked".to_owned())));
        // Whoever asked may have given up; the cache keeps the work.
        let _ = answer.send(result);
    }
    true
}

fn compile(engine: &Engine, wasm: &Bytes) -> Result<Component, CompileError> {
    let digest = Digest::of(wasm);
    if let Some(component) = engine.load(digest) {
        return Ok(component);
    }
    let invalid = |error: wasmtime::Error| CompileError::Invalid(format!("{error:#}"));
    let stored = engine.cache().and_then(|cache| {
        let code = engine.wasm().precompile_component(wasm).ok()?;
        // A cache that cannot be written is no reason to refuse an app.
        cache
            .store(digest, &code)
            .inspect_err(|error| tracing::warn!(%error, "compiled code not kept"))
            .ok()?;
        cache.load(engine.wasm(), digest)
    });
    let code = match stored {
        Some(code) => code,
        None => wasmtime::component::Component::new(engine.wasm(), wasm).map_err(invalid)?,
    };
    Component::link(engine, &code, digest)
}

/// Tells the frequent mistakes apart by the first eight bytes: magic, then version and layer.
fn check_header(wasm: &[u8]) -> Result<(), CompileError> {
    match wasm.get(..8) {
        Some([b'\0', b'a', b's', b'm', 1, 0, 0, 0]) => Err(CompileError::CoreModule),
        Some([b'\0', b'a', b's', b'm', ..]) => Ok(()),
        _ => Err(CompileError::NotWasm),
    }
}
