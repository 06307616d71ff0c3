//! Scenarios side by side: every server in turn, several rounds of it, since machines drift.
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    avalanche, connect, cores, crowd, echo,
    figures::Figures,
    idle,
    peers::{self, ONE_CORE, Peer, Running},
    polling, slow,
};

/// A scenario in which servers stand side by side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scenario {
    Echo,
    FanOut,
    Rooms,
    Connect,
    Idle,
    Polling,
    /// Echo and fan-out, of those that can recover, on and off.
    Recovery,
    Avalanche,
    Slow,
    Cores,
}

/// The name of what was measured, and what was read.
pub(crate) type Part = (&'static str, Figures);

/// How much of it.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) rounds: usize,
    /// Connections that speak or listen.
    pub(crate) clients: usize,
    /// Sessions that are opened and held.
    pub(crate) sessions: usize,
    /// Connections that are cut at once.
    pub(crate) avalanche: usize,
    pub(crate) warm_up: Duration,
    pub(crate) time: Duration,
    /// When nothing is heard for so long, what is missing will never come.
    pub(crate) patience: Duration,
    /// After so long a server will not come to an end of its turn.
    pub(crate) hang: Duration,
}

/// What was read, by part and server: a value for each round.
#[derive(Default)]
pub(crate) struct Readings {
    /// In the order in which they first came.
    pub(crate) parts: Vec<&'static str>,
    pub(crate) by: BTreeMap<(&'static str, Peer), Vec<Figures>>,
    /// Who was left out of what, and why.
    pub(crate) left_out: Vec<String>,
}

impl Scenario {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::FanOut => "fan-out",
            Self::Rooms => "rooms",
            Self::Connect => "connect",
            Self::Idle => "idle",
            Self::Polling => "polling",
            Self::Recovery => "recovery",
            Self::Avalanche => "avalanche",
            Self::Slow => "slow",
            Self::Cores => "cores",
        }
    }

    /// Who is measured unless others are asked for.
    pub(crate) fn peers(self) -> Vec<Peer> {
        let plain = |peer: &Peer| !matches!(peer, Peer::WakelinePlain | Peer::NodeRecovery);
        let all = Peer::ALL.into_iter();
        match self {
            Self::Echo | Self::FanOut | Self::Rooms => all.collect(),
            Self::Connect | Self::Idle => all.filter(plain).collect(),
            Self::Polling => all.filter(|peer| plain(peer) && !peer.is_floor()).collect(),
            Self::Recovery => vec![
                Peer::Wakeline,
                Peer::WakelinePlain,
                Peer::Node,
                Peer::NodeRecovery,
            ],
            Self::Avalanche | Self::Slow => {
                vec![Peer::Wakeline, Peer::Socketioxide, Peer::Node, Peer::NodeRecovery]
            }
            Self::Cores => vec![Peer::Wakeline],
        }
    }

    async fn visit(self, server: &Running, size: &Size) -> anyhow::Result<Vec<Part>> {
        match self {
            Self::Echo => echo::visit(server, size).await,
            Self::FanOut => crowd::visit_one(server, size).await,
            Self::Rooms => crowd::visit_tens(server, size).await,
            Self::Connect => connect::visit(server, size).await,
            Self::Idle => idle::visit(server, size).await,
            Self::Polling => polling::visit(server, size).await,
            Self::Recovery => {
                let mut parts = echo::visit(server, size).await?;
                parts.extend(crowd::visit_one(server, size).await?);
                Ok(parts)
            }
            Self::Avalanche => avalanche::visit(server, size).await,
            Self::Slow => slow::visit(server, size).await,
            Self::Cores => unreachable!("starts servers of its own"),
        }
    }
}

impl Size {
    pub(crate) fn full() -> Self {
        Self {
            rounds: 3,
            clients: 1000,
            sessions: 5000,
            avalanche: 10_000,
            warm_up: Duration::from_millis(600),
            time: Duration::from_millis(2500),
            patience: Duration::from_secs(10),
            hang: Duration::from_mins(3),
        }
    }

    pub(crate) fn quick() -> Self {
        Self {
            rounds: 2,
            sessions: 2500,
            avalanche: 5000,
            warm_up: Duration::from_millis(400),
            time: Duration::from_millis(1000),
            hang: Duration::from_mins(1),
            ..Self::full()
        }
    }

    /// How often a server has its turn: those that goals are read from more often than those that stand beside them.
    fn rounds(&self, scenario: Scenario, peer: Peer) -> usize {
        if peer.is_slow() {
            // Those that take minutes do so once.
            return 1;
        }
        let read = [Peer::Wakeline, Peer::Epoll, Peer::Socketioxide, Peer::Node];
        let recovering = [Peer::WakelinePlain, Peer::NodeRecovery];
        let once = matches!(scenario, Scenario::Avalanche | Scenario::Slow);
        let often = read.contains(&peer) || recovering.contains(&peer) && scenario == Scenario::Recovery;
        if often && !once {
            self.rounds
        } else {
            self.rounds.div_ceil(2)
        }
    }

    /// As much as can be waited for.
    fn of(self, peer: Peer) -> Self {
        if peer.is_slow() {
            Self {
                sessions: self.sessions / 5,
                // Of those behind nginx not everything arrives; a round is not to be spent on waiting for it.
                patience: Duration::from_secs(1),
                ..self
            }
        } else {
            self
        }
    }
}

/// Runs one scenario: each round every server once, a new process each time; those that failed in a round not again.
pub(crate) async fn run(scenario: Scenario, servers: &[Peer], size: &Size, readings: &mut Readings) {
    let mut failed = Vec::new();
    for round in 0..size.rounds {
        for peer in servers
            .iter()
            .filter(|peer| round < size.rounds(scenario, **peer))
        {
            if failed.contains(peer) {
                continue;
            }
            let begun = Instant::now();
            let size = size.of(*peer);
            let visit = visit(scenario, *peer, &size);
            let parts = tokio::time::timeout(size.hang, visit).await;
            let parts =
                parts.unwrap_or_else(|_| Err(anyhow::anyhow!("not done after {} s", size.hang.as_secs())));
            match parts {
                Ok(parts) => {
                    told(scenario, *peer, round, begun.elapsed(), &parts);
                    readings.add(*peer, parts);
                }
                Err(error) => {
                    println!("    FAILED: {} of {}: {error:#}", scenario.name(), peer.name());
                    let name = format!("{} in {}: {error:#}", peer.title(), scenario.name());
                    readings.left_out.push(name);
                    failed.push(*peer);
                }
            }
        }
    }
}

async fn visit(scenario: Scenario, peer: Peer, size: &Size) -> anyhow::Result<Vec<Part>> {
    if scenario == Scenario::Cores {
        return cores::visit(peer, size).await;
    }
    let server = peer.start(&ONE_CORE).await?;
    scenario.visit(&server, size).await
}

/// Progress: a line for each visit.
fn told(scenario: Scenario, peer: Peer, round: usize, took: Duration, parts: &[Part]) {
    let short = parts.iter().filter_map(|(_, figures)| {
        let (name, unit, scale) = if figures.get("session_bytes").is_some() {
            ("session_bytes", "KiB", 1024.0)
        } else {
            ("cpu_us", "µs", 1.0)
        };
        let told = format!("{:.2} {unit}", figures.get(name)? / scale);
        let remarks = [("errors", "errors"), ("others_percent", "% taken by others")].map(|(name, what)| {
            let value = figures.get(name).filter(|value| *value >= 5.0);
            value.map_or_else(String::new, |value| format!(" [{value:.0} {what}]"))
        });
        Some(told + &remarks.concat())
    });
    println!(
        "    {:10} round {} {:16} {} ({:.0} s)",
        scenario.name(),
        round + 1,
        peer.name(),
        short.collect::<Vec<_>>().join(", "),
        took.as_secs_f64()
    );
}

/// Installs what these need; those that cannot be had are named and left out.
pub(crate) fn prepared(wanted: Vec<Peer>, readings: &mut Readings) -> Vec<Peer> {
    let missing = peers::install::install(&wanted);
    for (peer, why) in &missing {
        readings.left_out.push(format!("{}: {why}", peer.title()));
    }
    let there = wanted.into_iter();
    there
        .filter(|peer| !missing.iter().any(|(missing, _)| missing == peer))
        .collect()
}

impl Readings {
    pub(crate) fn add(&mut self, peer: Peer, parts: Vec<Part>) {
        for (part, figures) in parts {
            if !self.parts.contains(&part) {
                self.parts.push(part);
            }
            self.by.entry((part, peer)).or_default().push(figures);
        }
    }

    /// The medians of one server in one part.
    pub(crate) fn of(&self, part: &str, peer: Peer) -> Option<Figures> {
        let rounds = self
            .by
            .iter()
            .find(|((name, of), _)| *name == part && *of == peer)?;
        Some(Figures::medians(rounds.1))
    }

    pub(crate) fn value(&self, part: &str, peer: Peer, name: &str) -> Option<f64> {
        self.of(part, peer)?.get(name)
    }
}
