use std::{
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Args;
use router::{AckToken, Call, CallKind, SocketView};
use runtime::{CompileLimits, Engine, EngineConfig, Limits, Worker};
use socketio::EventData;

use crate::{figures::Figures, host::Nothing};

#[derive(Args)]
pub(crate) struct Options {
    /// Calls measured in each tier.
    #[arg(long, default_value_t = 1000)]
    calls: usize,
    #[arg(long, default_value = "examples/target/wasm32-wasip2/release/bench.wasm")]
    component: PathBuf,
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<Figures> {
    let wasm = std::fs::read(&options.component)
        .with_context(|| format!("{} (cargo xtask guests builds it)", options.component.display()))?;
    let cache = std::env::temp_dir().join(format!("wakeline-bench-wake-{}", std::process::id()));
    let engine = Engine::new(EngineConfig {
        instances_max: 100,
        calls_max: 100,
        memory_bytes_max: 64 << 20,
        cache_dir: Some(cache.clone()),
        compile_threads: 1,
        compile_queue_max: 1,
    })?;
    let begun = Instant::now();
    let component = engine
        .compile(
            wasm.into(),
            CompileLimits {
                wasm_bytes_max: 64 << 20,
                time_max: Duration::from_secs(120),
            },
        )
        .await?;
    println!(
        "compiled once, at upload, in {:.0} ms",
        begun.elapsed().as_secs_f64() * 1e3
    );
    let digest = component.digest();
    let worker = Worker::new(Rc::new(component), Arc::new(Nothing), Limits::default());
    let (soon, later) = (Instant::now(), Instant::now() + Duration::from_secs(3600));

    let mut hot = Vec::new();
    worker.call(&mut echo()?).await?;
    for _ in 0..options.calls {
        hot.push(timed(&worker).await?);
    }
    let mut warm = Vec::new();
    for _ in 0..options.calls {
        // The first marks what is idle, the second drops what was.
        worker.reap(soon);
        worker.reap(later);
        anyhow::ensure!(
            worker.stats().instances == 0,
            "an instance outlived its idle time"
        );
        warm.push(timed(&worker).await?);
    }
    drop(worker);
    let mut cold = Vec::new();
    for _ in 0..options.calls {
        let begun = Instant::now();
        let component = engine
            .load(digest)
            .context("the compile cache lost the component")?;
        let worker = Worker::new(Rc::new(component), Arc::new(Nothing), Limits::default());
        worker.call(&mut echo()?).await?;
        cold.push(begun.elapsed());
    }
    println!(
        "one echo event, {} times a tier; µs        p50      p99      max",
        options.calls
    );
    let figures = told(&mut hot, &mut warm, &mut cold);
    _ = std::fs::remove_dir_all(cache);
    Ok(figures)
}

/// Prints each tier, and gives its figures in µs.
fn told(hot: &mut [Duration], warm: &mut [Duration], cold: &mut [Duration]) -> Figures {
    let mut figures = Figures::default();
    for (name, tier, times) in [
        ("hot", "hot:  an instance with its memory waits", hot),
        ("warm", "warm: compiled code mapped, no instance", warm),
        ("cold", "cold: nothing; compiled code on disk   ", cold),
    ] {
        let [p50, p99, max] = print(tier, times);
        figures.set(&format!("{name}_p50_us"), p50);
        figures.set(&format!("{name}_p99_us"), p99);
        figures.set(&format!("{name}_max_us"), max);
    }
    figures
}

async fn timed(worker: &Worker) -> anyhow::Result<Duration> {
    let mut call = echo()?;
    let begun = Instant::now();
    let effects = worker.call(&mut call).await?;
    let took = begun.elapsed();
    anyhow::ensure!(effects.len() == 1, "an echo is one ack, not {effects:?}");
    Ok(took)
}

fn echo() -> anyhow::Result<Call> {
    let id: Arc<str> = "socket".into();
    let socket = SocketView {
        id: id.clone(),
        namespace: "/".into(),
        rooms: vec![id],
        state: bytes::Bytes::new(),
        state_version: 0,
    };
    let data = EventData::event(
        "echo",
        r#"["0123456789012345678901234567890123456789"]"#,
        Vec::new(),
    )?;
    Ok(Call {
        socket: Some(socket),
        kind: CallKind::Event {
            data,
            ack: Some(AckToken(1)),
        },
        trace: None,
    })
}

/// The median, the 99th percentile and the longest, in µs.
fn print(tier: &str, times: &mut [Duration]) -> [f64; 3] {
    times.sort_unstable();
    let at = |share: f64| {
        let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(at);
    println!("{tier} {p50:8.1} {p99:8.1} {max:8.1}");
    [p50, p99, max]
}
