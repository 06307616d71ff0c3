//! What a call and a wake cost on this machine, with the guest of the tests:
//! `cargo run --release -p wakeline-runtime --example costs -- tests/guests/target/wasm32-wasip2/release/guest_plain.wasm`
#![allow(clippy::print_stdout, reason = "this is what it is for")]

use std::{
    collections::BTreeMap,
    future::ready,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use router::{Call, CallKind, DisconnectReason, SocketView, Target};
use runtime::{
    Commit, CommitError, CompileLimits, Engine, EngineConfig, Host, Limits, LogLevel, Page, Worker,
};
use socketio::EventData;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).ok_or("usage: costs COMPONENT")?;
    let config = EngineConfig {
        instances_max: 1_000,
        calls_max: 1_000,
        memory_bytes_max: 1 << 30,
        cache_dir: None,
        compile_threads: 1,
        compile_queue_max: 1,
    };
    let engine = Engine::new(config)?;
    let limits = CompileLimits {
        wasm_bytes_max: usize::MAX,
        time_max: Duration::from_mins(10),
    };
    let component = engine.compile(std::fs::read(file)?.into(), limits).await?;

    for (what, calls_per_instance) in [("warm instance", u32::MAX), ("fresh instance", 1)] {
        let limits = Limits {
            calls_per_instance,
            ..Limits::default()
        };
        let worker = Worker::new(component.clone(), Arc::new(Nothing), limits);
        let data = EventData::event("say", r#"[{"text":"hello"}]"#, Vec::new())?;
        let event = CallKind::Event { data, ack: None };
        measure(&format!("{what}, event and one emit"), &worker, &event).await?;
        measure(
            &format!("{what}, no effect"),
            &worker,
            &CallKind::Disconnect(DisconnectReason::Client),
        )
        .await?;
    }
    Ok(())
}

/// Prints the median and the 99th of 100 of many calls.
async fn measure(what: &str, worker: &Worker, kind: &CallKind) -> Result<(), router::Failure> {
    let id: Arc<str> = "socket".into();
    let rooms = Arc::from([Arc::clone(&id)]);
    let socket = SocketView {
        id,
        namespace: "/".into(),
        rooms,
        state: Bytes::new(),
    };
    let mut times = Vec::new();
    for _ in 0..20_000 {
        let call = Call {
            socket: Some(socket.clone()),
            kind: kind.clone(),
        };
        let start = Instant::now();
        worker.call(call).await?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |hundredths: usize| {
        times
            .get(times.len() * hundredths / 100)
            .copied()
            .unwrap_or_default()
    };
    println!("{what:40} p50 {:?}  p99 {:?}", at(50), at(99));
    Ok(())
}

/// A host without anything.
struct Nothing;

impl Host for Nothing {
    fn kv_get<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<(Bytes, u64)>, String>> {
        ready(Ok(None)).boxed()
    }

    fn kv_keys<'a>(
        &'a self,
        _: &'a str,
        _: Option<&'a str>,
        _: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn commit(&self, _: Commit) -> BoxFuture<'_, Result<(), CommitError>> {
        ready(Ok(())).boxed()
    }

    fn fetch_sockets(&self, _: Target, _: Option<String>) -> BoxFuture<'_, Result<Page, String>> {
        ready(Ok(Page::default())).boxed()
    }

    fn log(&self, _: LogLevel, _: &str, _: &str, _: Option<&str>) {}

    fn config(&self) -> Arc<BTreeMap<String, String>> {
        Arc::default()
    }

    fn http_allowed(&self, _: &str) -> bool {
        false
    }
}
