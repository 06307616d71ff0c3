//! Measures. `cargo xtask bench idle`, `wake`, `density` and `cluster`; each prints what it did, on what machine, and how.
//!
//! Figures are sizes, counts and times side by side in one run: machines differ, and drift.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints its figures"
)]

mod admin;
mod client;
mod cluster;
mod density;
mod host;
mod idle;
mod machine;
mod node;
mod wake;

use clap::{Parser, Subcommand};

/// Measures Wakeline.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Resident memory per idle WebSocket session: joined, in a room, recoverable, its handler asleep.
    Idle(idle::Options),
    /// What waking an app's code costs, by tier: hot, warm, cold.
    Wake(wake::Options),
    /// Thousands of apps on one host: memory per sleeping app, and the time to wake one by tier.
    Density(density::Options),
    /// What a delivery costs with 1, 2 and 3 nodes, beside Node's socket.io; how long it takes through another node.
    Cluster(cluster::Options),
}

fn main() -> std::process::ExitCode {
    match measure() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn measure() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        match Cli::parse().scenario {
            Scenario::Idle(options) => idle::run(&options).await,
            Scenario::Wake(options) => wake::run(&options).await,
            Scenario::Density(options) => density::run(&options).await,
            Scenario::Cluster(options) => cluster::run(&options).await,
        }
    })
}
