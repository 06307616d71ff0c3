//! Half an hour of everything at once, on one host: does it grow, and does it come back to its start?
mod traffic;
mod watch;

use std::{
    path::PathBuf,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Args;
use tokio::time::sleep;

use self::{
    traffic::Traffic,
    watch::{Sample, Watch},
};
use crate::{admin::Admin, node::Node, peers::install, run::Part};

#[derive(Args)]
pub(crate) struct Options {
    /// Minutes of load.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Components that deploys alternate between; their handlers must know `echo`; the first must know `join` and `say`.
    #[arg(long, default_values_t = [
        "examples/target/wasm32-wasip2/release/bench.wasm".to_owned(),
        "tests/it/probe/target/wasm32-wasip2/release/probe.wasm".to_owned(),
    ])]
    components: Vec<String>,
}

pub(crate) const SOAK: &str = "soak";

/// One that is spoken to all the time, one that is deployed to all the time, one that sleeps between two words.
const APPS: [&str; 3] = ["busy", "deployed", "sleepy"];
/// Short, so that everything comes and goes many times: instances, code, sockets that are away.
const MANIFEST: &str = "[sleep]\nidle_ms = 1000\ncode_ms = 5000\n\n[recovery]\nwindow_ms = 20000\nmax_packets = 2000\n\n\
                        [limits]\nevents_per_second = 100000\napp_events_per_second = 1000000\n";
/// After this, what is held for those who may come back, and code, has gone.
const FORGOTTEN: Duration = Duration::from_secs(90);
/// The first figure of memory is taken then, or after a sixth of a shorter run.
const WARM: Duration = Duration::from_mins(5);
/// A figure of memory is the median of the samples of this long before.
const WINDOW: Duration = Duration::from_secs(30);
const TOLD_EVERY: Duration = Duration::from_mins(1);

pub(crate) async fn run(options: &Options) -> anyhow::Result<Part> {
    let time = Duration::from_secs_f64(options.minutes * 60.0);
    let components = options.components.iter().map(|path| {
        let path = install::root().join(path);
        std::fs::read(&path).with_context(|| format!("{} is missing: cargo xtask guests", path.display()))
    });
    let components: Vec<Vec<u8>> = components.collect::<Result<_, _>>()?;
    let node = Rc::new(Node::host("soak").await?);
    let mut admin = Admin::connect(&node).await?;
    for (app, component) in APPS.iter().zip(components.iter().cycle()) {
        traffic::deploy(&mut admin, app, Some(MANIFEST), component).await?;
    }
    // Once through everything, so that what is made once is there.
    let warm = Traffic::start(&node, &components);
    sleep(time.min(Duration::from_secs(10))).await;
    warm.stop().await;
    let start = forgotten(&node, None).await?;
    println!("before: {start}");

    let mut watch = Watch::new(Rc::clone(&node));
    let traffic = Traffic::start(&node, &components);
    let (begun, mut told) = (Instant::now(), Duration::ZERO);
    while begun.elapsed() < time {
        sleep(Duration::from_secs(1)).await;
        watch.sample(begun.elapsed()).await?;
        if begun.elapsed() >= told + TOLD_EVERY {
            told += TOLD_EVERY;
            println!(
                "{:4.0} min: {}; {}",
                begun.elapsed().as_secs_f64() / 60.0,
                watch.last(),
                traffic.told()
            );
        }
    }
    println!("load over: {}", traffic.told());
    let mut figures = traffic.stop().await;
    let early = watch.resident_mib(WARM.min(time / 6), WINDOW);
    let late = watch.resident_mib(time, WINDOW);
    let growth = (late / early - 1.0) * 100.0;
    println!(
        "resident after {:.0} s {early:.1} MiB, at the end {late:.1} MiB: {growth:+.1} % (at most 5 is the goal)",
        WARM.min(time / 6).as_secs_f64()
    );
    let end = forgotten(&node, Some(&start)).await?;
    println!("before: {start}\nafter:  {end}");
    figures.set("early_mib", early);
    figures.set("late_mib", late);
    figures.set("growth_percent", growth);
    figures.set("left_over", end.more_than(&start));
    let file = install::target()?.join("bench/soak.svg");
    std::fs::create_dir_all(file.parent().unwrap_or(&PathBuf::new()))?;
    std::fs::write(&file, watch.svg())?;
    println!("written: {}", file.display());
    Ok((SOAK, figures))
}

/// When nobody is there any more: what is left once everything that ends has ended, as far as it was before.
async fn forgotten(node: &Node, start: Option<&Sample>) -> anyhow::Result<Sample> {
    let begun = Instant::now();
    loop {
        sleep(Duration::from_secs(1)).await;
        let now = Sample::of(node).await?;
        let is_quiet = now.is_quiet() && start.is_none_or(|start| now.more_than(start) == 0.0);
        if is_quiet || begun.elapsed() > FORGOTTEN {
            return Ok(now);
        }
    }
}
