//! Measures: `cargo xtask bench`. Without a scenario, all of them; host/PERFORMANCE.md says how the figures are made.
//!
//! Figures are processor time, sizes, counts and times side by side in one run: machines differ, and drift.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints its figures"
)]

mod admin;
mod client;
mod cluster;
mod connect;
mod crowd;
mod density;
mod echo;
mod figures;
mod frame;
mod histogram;
mod host;
mod idle;
mod load;
mod machine;
mod node;
mod peers;
mod run;
mod table;
mod wake;

use clap::{Parser, Subcommand};

use crate::{
    peers::Peer,
    run::{Readings, Scenario, Size},
};

/// Measures Wakeline beside its peers.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    scenario: Option<Command>,
    /// Beside whom, commas between: epoll, hyper, socketioxide, node, … [default: all]
    #[arg(long, global = true, value_delimiter = ',')]
    vs: Vec<Peer>,
    /// Less of everything: under ten minutes altogether.
    #[arg(long, global = true)]
    quick: bool,
    /// How often every server has its turn [default: 3, quick 2]
    #[arg(long, global = true)]
    rounds: Option<usize>,
}

#[derive(Subcommand)]
enum Command {
    /// `echo` with an ack: saturated, then at an even pace.
    Echo,
    /// One room of 1,000: flat out, one message at a time, then 20 messages a second.
    FanOut,
    /// 100 rooms of ten, flat out.
    Rooms,
    /// Handshake and CONNECT over a WebSocket.
    Connect,
    /// Resident memory per idle WebSocket session: joined, in a room, recoverable, its handler asleep.
    Idle,
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
    let cli = Cli::parse();
    local.block_on(&runtime, async {
        match &cli.scenario {
            Some(Command::Echo) => beside(&cli, &[Scenario::Echo]).await,
            Some(Command::FanOut) => beside(&cli, &[Scenario::FanOut]).await,
            Some(Command::Rooms) => beside(&cli, &[Scenario::Rooms]).await,
            Some(Command::Connect) => beside(&cli, &[Scenario::Connect]).await,
            Some(Command::Idle) => beside(&cli, &[Scenario::Idle]).await,
            Some(Command::Wake(options)) => wake::run(options).await,
            Some(Command::Density(options)) => density::run(options).await,
            Some(Command::Cluster(options)) => cluster::run(options).await,
            None => {
                use Scenario::{Connect, Echo, FanOut, Idle, Rooms};
                beside(&cli, &[Echo, FanOut, Rooms, Connect, Idle]).await
            }
        }
    })
}

/// These scenarios, every server on one core, the load on another.
async fn beside(cli: &Cli, scenarios: &[Scenario]) -> anyhow::Result<()> {
    let mut size = if cli.quick { Size::quick() } else { Size::full() };
    size.rounds = cli.rounds.unwrap_or(size.rounds);
    let mut readings = Readings::default();
    let wanted = |scenario: &Scenario| -> Vec<Peer> {
        let mut peers = scenario.peers();
        if !cli.vs.is_empty() {
            peers = Peer::ALL
                .into_iter()
                .filter(|peer| cli.vs.contains(peer))
                .collect();
            if !peers.contains(&Peer::Wakeline) {
                peers.insert(0, Peer::Wakeline);
            }
        }
        peers
    };
    let all = Peer::ALL.into_iter();
    let all = all.filter(|peer| scenarios.iter().any(|scenario| wanted(scenario).contains(peer)));
    let there = run::prepared(all.collect(), &mut readings);
    println!("{}", machine::describe());
    println!("{}", peers::versions());
    if machine::cores() < 2 || !machine::pin(1) {
        println!(
            "servers and load share what cores there are: rates mean nothing here, processor times little"
        );
    }
    for scenario in scenarios {
        let servers: Vec<Peer> = wanted(scenario)
            .into_iter()
            .filter(|peer| there.contains(peer))
            .collect();
        run::run(*scenario, &servers, &size, &mut readings).await;
    }
    println!("{}", table::text(&readings));
    Ok(())
}
