//! Many apps, few of them awake.
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Args;

use crate::{admin::Admin, client::Client, figures::Figures, machine, node::Node};

#[derive(Args)]
pub(crate) struct Options {
    /// Apps deployed.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) apps: usize,
    /// Times that each component is woken from disk.
    #[arg(long, default_value_t = 25)]
    pub(crate) rounds: usize,
    /// Components that the apps share; their handlers must know `echo`.
    #[arg(long, default_values_t = [
        "examples/target/wasm32-wasip2/release/bench.wasm".to_owned(),
        "tests/it/probe/target/wasm32-wasip2/release/probe.wasm".to_owned(),
    ])]
    components: Vec<String>,
}

/// Short, so that a tier is reached soon.
const MANIFEST: &str = "[sleep]\nidle_ms = 100\ncode_ms = 2000\n";
/// After this nothing of an app is in memory but its sockets: its code's time, and the pause between two looks.
const COLD: Duration = Duration::from_millis(3_500);
/// After this its instance is gone, two looks later, and its code is not.
const WARM: Duration = Duration::from_millis(900);
const TOLD_EVERY: usize = 1_000;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Figures> {
    let wasm = components(options)?;
    let empty = Node::host("empty").await?.restart().await?;
    let before = settled(&empty).await?;
    drop(empty);

    let node = Node::host("full").await?;
    let began = Instant::now();
    let mut admin = Admin::connect(&node).await?;
    for number in 0..options.apps {
        let app = format!("/v1/apps/{}", name(number));
        admin.ask("PUT", &app, MANIFEST.as_bytes()).await?;
        let component = wasm.get(number % wasm.len()).context("no component")?;
        admin.ask("POST", &format!("{app}/versions"), component).await?;
        admin
            .ask("POST", &format!("{app}/live"), br#"{"version":1}"#)
            .await?;
        if (number + 1) % TOLD_EVERY == 0 {
            println!(
                "deployed {} apps in {:.0} s",
                number + 1,
                began.elapsed().as_secs_f64()
            );
        }
    }
    let node = node.restart().await?;
    let after = settled(&node).await?;
    println!(
        "{} sleeping apps, {} distinct components: {:.0} bytes resident each ({:.1} MiB without apps, {:.1} MiB with them, \
         each after a restart)",
        options.apps,
        wasm.len(),
        after.saturating_sub(before) as f64 / options.apps as f64,
        mebibytes(before),
        mebibytes(after),
    );
    wakes(&node, options, wasm.len()).await?;
    let end = machine::resident_bytes(node.pid()?)?;
    println!("{:.1} MiB resident after all that", mebibytes(end));
    let mut figures = Figures::default();
    figures.set(
        "app_bytes",
        after.saturating_sub(before) as f64 / options.apps as f64,
    );
    Ok(figures)
}

/// Times a round trip by what it has to wake. The host's own counters say that it was so.
async fn wakes(node: &Node, options: &Options, components: usize) -> anyhow::Result<()> {
    let mut clients = Vec::new();
    for number in 0..components {
        clients.push(Client::join(node.address, &name(number)).await?);
    }
    let (mut hot, mut warm, mut cold, mut remote) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let counted = ["hot", "warm", "cold", "remote"];
    let mut counts = Vec::new();
    for tier in counted {
        counts.push(count(node, tier).await);
    }
    for _ in 0..options.rounds {
        tokio::time::sleep(COLD).await;
        for client in &mut clients {
            cold.push(echo(client).await?);
            for _ in 0..4 {
                hot.push(echo(client).await?);
            }
        }
        tokio::time::sleep(WARM).await;
        for client in &mut clients {
            warm.push(echo(client).await?);
        }
    }
    for entry in std::fs::read_dir(node.data().join("compiled"))? {
        std::fs::remove_file(entry?.path())?;
    }
    tokio::time::sleep(COLD).await;
    for client in &mut clients {
        remote.push(echo(client).await?);
    }
    for ((tier, times), before) in counted.into_iter().zip([hot, warm, cold, remote]).zip(counts) {
        let woken = count(node, tier).await - before;
        tell(tier, times, woken);
    }
    Ok(())
}

async fn echo(client: &mut Client) -> anyhow::Result<Duration> {
    let began = Instant::now();
    client.call(r#"["echo","awake"]"#).await?;
    Ok(began.elapsed())
}

async fn count(node: &Node, tier: &str) -> f64 {
    let samples = node
        .metric_with("wakeline_wakes_total{", &format!("tier=\"{tier}\""))
        .await;
    samples.unwrap_or_default()
}

fn tell(tier: &str, mut times: Vec<Duration>, woken: f64) {
    times.sort_unstable();
    let at = |percent: usize| {
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    println!(
        "round trip, {tier}: p50 {:.0} µs, p99 {:.0} µs ({} of them; the host counted {woken} wakes of the tier)",
        at(50),
        at(99),
        times.len()
    );
}

fn components(options: &Options) -> anyhow::Result<Vec<Vec<u8>>> {
    let read = options.components.iter().map(|path| {
        let path = PathBuf::from(path);
        std::fs::read(&path).with_context(|| format!("{} is missing: cargo xtask guests", path.display()))
    });
    read.collect()
}

/// Resident memory once nothing goes on any more.
async fn settled(node: &Node) -> anyhow::Result<u64> {
    let mut last = machine::resident_bytes(node.pid()?)?;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = machine::resident_bytes(node.pid()?)?;
        if now.abs_diff(last) < 64 * 1024 {
            return Ok(now);
        }
        last = now;
    }
}

fn name(number: usize) -> String {
    format!("app-{number}")
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
