//! Measures: `cargo xtask bench`. Without a scenario, all of them; host/PERFORMANCE.md says how the figures are made.
//!
//! Figures are processor time, sizes, counts and times side by side in one run: machines differ, and drift.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints its figures"
)]

mod admin;
mod avalanche;
mod client;
mod cluster;
mod connect;
mod cores;
mod crowd;
mod density;
mod echo;
mod figures;
mod frame;
mod goals;
mod guard;
mod histogram;
mod host;
mod http;
mod idle;
mod load;
mod machine;
mod node;
mod peers;
mod plot;
mod polling;
mod report;
mod run;
mod slow;
mod soak;
mod table;
mod wake;

use clap::{Parser, Subcommand};

use crate::{
    peers::Peer,
    report::Place,
    run::{Readings, Scenario, Size},
};

/// Measures Wakeline beside its peers.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Beside whom, commas between: epoll, hyper, socketioxide, node, … [default: all that the scenario is for]
    #[arg(long, global = true, value_delimiter = ',')]
    vs: Vec<Peer>,
    /// Less of everything: under ten minutes altogether.
    #[arg(long, global = true)]
    quick: bool,
    /// How often every server has its turn [default: 3, quick 2]
    #[arg(long, global = true)]
    rounds: Option<usize>,
    /// Fill the README's Performance section with what was measured; all scenarios only.
    #[arg(long)]
    readme: bool,
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
    /// `echo` over long polling; resident memory of a session between two polls.
    Polling,
    /// What recovery costs: echo and fan-out with and without.
    Recovery,
    /// Thousands of connections cut at once, and back at once.
    Avalanche,
    /// Clients that do not read while their room is flooded.
    Slow,
    /// What a message costs on two cores and on one.
    Cores,
    /// What waking an app's code costs, by tier: hot, warm, cold.
    Wake(wake::Options),
    /// Thousands of apps on one host: memory per sleeping app, and the time to wake one by tier.
    Density(density::Options),
    /// What a delivery costs with 1, 2 and 3 nodes, beside Node's socket.io; how long it takes through another node.
    Cluster(cluster::Options),
    /// Instructions and allocations of what happens most, bytes of an idle session, each held to its ratchet.
    Guard,
    /// Mixed load on one host: does it grow, and does it come back to its start?
    Soak(soak::Options),
}

/// All scenarios in which servers take turns; `Recovery` is within them.
const BESIDE: [Scenario; 9] = [
    Scenario::Echo,
    Scenario::FanOut,
    Scenario::Rooms,
    Scenario::Connect,
    Scenario::Idle,
    Scenario::Polling,
    Scenario::Cores,
    Scenario::Avalanche,
    Scenario::Slow,
];
/// Those of Wakeline's own, as they are asked for in a whole run.
const ALONE: [&str; 3] = ["wake", "density --apps 10000 --rounds 3", "cluster --seconds 2"];
const ALONE_QUICK: [&str; 3] = [
    "wake --calls 500",
    "density --apps 1000 --rounds 2",
    "cluster --only-three --seconds 1.5 --emits 1000",
];

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
    anyhow::ensure!(
        !cli.readme || cli.command.is_none() && cli.vs.is_empty(),
        "--readme is for all scenarios and all peers"
    );
    if let Some(Command::Guard) = cli.command {
        return local.block_on(&runtime, guard::run());
    }
    let mut readings = Readings::default();
    let mut place = Place::here();
    local.block_on(&runtime, async {
        let name = if let Some(command) = &cli.command {
            one(&cli, command, &mut readings).await?;
            command.name()
        } else {
            all(&cli, &mut readings).await?;
            "all"
        };
        println!("{}", table::text(&readings));
        // Now that all of them are installed.
        place.versions = peers::versions();
        report::write(&readings, name, &place)?;
        if cli.readme {
            report::fill_readme(&readings, &place)?;
        }
        Ok(())
    })
}

async fn all(cli: &Cli, readings: &mut Readings) -> anyhow::Result<()> {
    beside(cli, &BESIDE, readings).await;
    for words in if cli.quick { ALONE_QUICK } else { ALONE } {
        let words = std::iter::once("bench").chain(words.split(' '));
        if let Some(command) = Cli::try_parse_from(words)?.command
            && let Err(error) = one(cli, &command, readings).await
        {
            println!("    FAILED: {}: {error:#}", command.name());
            readings.left_out.push(format!("{}: {error:#}", command.name()));
        }
    }
    Ok(())
}

async fn one(cli: &Cli, command: &Command, readings: &mut Readings) -> anyhow::Result<()> {
    let part = match command {
        Command::Wake(options) => (goals::WAKE, wake::run(options).await?),
        Command::Density(options) => (goals::DENSITY, density::run(options).await?),
        Command::Soak(options) => soak::run(options).await?,
        Command::Cluster(options) => {
            for (peer, part) in cluster::run(options).await? {
                readings.add(peer, vec![part]);
            }
            return Ok(());
        }
        _ => {
            beside(cli, &command.scenario().into_iter().collect::<Vec<_>>(), readings).await;
            return Ok(());
        }
    };
    readings.add(Peer::Wakeline, vec![part]);
    Ok(())
}

impl Command {
    /// None for those that are Wakeline's own.
    fn scenario(&self) -> Option<Scenario> {
        Some(match self {
            Self::Echo => Scenario::Echo,
            Self::FanOut => Scenario::FanOut,
            Self::Rooms => Scenario::Rooms,
            Self::Connect => Scenario::Connect,
            Self::Idle => Scenario::Idle,
            Self::Polling => Scenario::Polling,
            Self::Recovery => Scenario::Recovery,
            Self::Avalanche => Scenario::Avalanche,
            Self::Slow => Scenario::Slow,
            Self::Cores => Scenario::Cores,
            Self::Wake(_) | Self::Density(_) | Self::Cluster(_) | Self::Soak(_) | Self::Guard => return None,
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Wake(_) => goals::WAKE,
            Self::Density(_) => goals::DENSITY,
            Self::Cluster(_) => "cluster",
            Self::Soak(_) => soak::SOAK,
            _ => self.scenario().map_or("", Scenario::name),
        }
    }
}

/// These scenarios, every server on one core, the load on another.
async fn beside(cli: &Cli, scenarios: &[Scenario], readings: &mut Readings) {
    let mut size = if cli.quick { Size::quick() } else { Size::full() };
    size.rounds = cli.rounds.unwrap_or(size.rounds);
    let is_wanted = |scenario: Scenario, peer: Peer| {
        let asked = cli.vs.is_empty() || peer == Peer::Wakeline || cli.vs.contains(&peer);
        // Whoever is named outright is measured wherever that can be done.
        asked && (scenario.peers().contains(&peer) || scenarios.len() == 1 && cli.vs.contains(&peer))
    };
    let all = Peer::ALL.into_iter();
    let all = all.filter(|peer| scenarios.iter().any(|scenario| is_wanted(*scenario, *peer)));
    let there = run::prepared(all.collect(), readings);
    println!("{}", machine::describe());
    println!("{}", peers::versions());
    if machine::cores() < 2 || !machine::pin(1) {
        println!(
            "servers and load share what cores there are: rates mean nothing here, processor times little"
        );
    }
    for scenario in scenarios {
        let servers = there.iter().copied().filter(|peer| is_wanted(*scenario, *peer));
        run::run(*scenario, &servers.collect::<Vec<_>>(), &size, readings).await;
    }
    machine::unpin();
}
