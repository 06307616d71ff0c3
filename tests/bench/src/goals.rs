//! What Wakeline is to reach beside its peers, each row with what was read.
use crate::{
    avalanche::AVALANCHE,
    connect::CONNECT,
    cores, crowd, echo,
    idle::IDLE,
    peers::Peer::{self, Epoll, Node, NodeRecovery, Socketioxide, Wakeline, WakelinePlain},
    polling::{POLLING, POLLING_IDLE},
    run::Readings,
    slow::SLOW,
};

/// A figure and the most that it should be.
struct Goal {
    title: &'static str,
    read: fn(&Readings) -> Option<f64>,
    limit: Limit,
}

#[derive(Clone, Copy)]
enum Limit {
    /// Times another's.
    Times(f64),
    /// The other way round: at least so many times.
    AtLeast(f64),
    /// Of a unit, so much.
    Most(f64, &'static str),
    /// Told; there is no number for it.
    Told(&'static str),
}

/// A row for the reader.
pub(crate) struct Row {
    pub(crate) title: &'static str,
    pub(crate) figure: String,
    pub(crate) goal: String,
    /// The figure by its goal: met if it is 1 or less.
    pub(crate) ratio: Option<f64>,
    pub(crate) verdict: &'static str,
}

const CPU: &str = "cpu_us";
pub(crate) const WAKE: &str = "wake";
pub(crate) const DENSITY: &str = "density";
pub(crate) const NODES: [&str; 3] = [
    "three nodes, rooms of ten",
    "three nodes, rooms of ten at a pace",
    "three nodes, one room",
];

const GOALS: &[Goal] = &[
    goal(
        "echo through a Wasm handler, beside raw epoll",
        |all| beside(all, echo::SATURATED, Epoll),
        Limit::Times(1.35),
    ),
    goal(
        "the same, beside socketioxide's native handlers",
        |all| beside(all, echo::SATURATED, Socketioxide),
        Limit::Times(0.8),
    ),
    goal(
        "its p99 when saturated, by its p50",
        |all| Some(ours(all, echo::SATURATED, "p99_ms")? / ours(all, echo::SATURATED, "p50_ms")?),
        Limit::Times(1.5),
    ),
    goal(
        "fan-out to 1,000, flat out, beside raw epoll",
        |all| beside(all, crowd::ONE, Epoll),
        Limit::Times(1.1),
    ),
    goal(
        "the same, one message at a time",
        |all| beside(all, crowd::ONE_BY_ONE, Epoll),
        Limit::Times(1.1),
    ),
    goal(
        "the same, 20 messages a second",
        |all| beside(all, crowd::ONE_PACED, Epoll),
        Limit::Times(1.3),
    ),
    goal(
        "100 rooms of ten, a delivery",
        |all| ours(all, crowd::TENS, CPU),
        Limit::Most(10.0, "µs"),
    ),
    goal(
        "handshake and CONNECT, `handle-connect` included",
        |all| ours(all, CONNECT, CPU),
        Limit::Most(42.0, "µs"),
    ),
    goal(
        "long-poll echo",
        |all| ours(all, POLLING, CPU),
        Limit::Most(18.0, "µs"),
    ),
    goal(
        "recovery on, by off: echo",
        |all| recovery(all, echo::SATURATED, Wakeline, WakelinePlain),
        Limit::Times(1.15),
    ),
    goal(
        "recovery on, by off: fan-out, flat out",
        |all| recovery(all, crowd::ONE, Wakeline, WakelinePlain),
        Limit::Times(1.15),
    ),
    goal(
        "recovery on, by off: fan-out, one at a time",
        |all| recovery(all, crowd::ONE_BY_ONE, Wakeline, WakelinePlain),
        Limit::Times(1.15),
    ),
    goal(
        "Node's recovery on, by off: echo",
        |all| recovery(all, echo::SATURATED, NodeRecovery, Node),
        Limit::Told("beside ours"),
    ),
    goal(
        "Node's recovery on, by off: fan-out, flat out",
        |all| recovery(all, crowd::ONE, NodeRecovery, Node),
        Limit::Told("beside ours"),
    ),
    goal(
        "idle WebSocket session",
        |all| Some(ours(all, IDLE, "session_bytes")? / 1024.0),
        Limit::Most(2.5, "KiB"),
    ),
    goal(
        "idle polling session between polls",
        |all| Some(ours(all, POLLING_IDLE, "session_bytes")? / 1024.0),
        Limit::Most(1.5, "KiB"),
    ),
    goal(
        "two cores, by one: echo",
        |all| two_cores(all, cores::ECHO),
        Limit::AtLeast(1.8),
    ),
    goal(
        "two cores, by one: fan-out, flat out",
        |all| two_cores(all, cores::FAN_OUT),
        Limit::AtLeast(1.8),
    ),
    goal(
        "two cores, by one: fan-out, one at a time",
        |all| two_cores(all, cores::ONE_BY_ONE),
        Limit::AtLeast(1.8),
    ),
    goal(
        "wake, Rust, warm: p99",
        |all| ours(all, WAKE, "warm_p99_us"),
        Limit::Most(60.0, "µs"),
    ),
    goal(
        "wake, Rust, cold: p99",
        |all| ours(all, WAKE, "cold_p99_us"),
        Limit::Most(500.0, "µs"),
    ),
    goal(
        "a sleeping app",
        |all| Some(ours(all, DENSITY, "app_bytes")? / 1024.0),
        Limit::Most(2.0, "KiB"),
    ),
    goal(
        "three nodes, rooms of ten, beside Node with Redis",
        |all| nodes(all, NODES[0]),
        Limit::Times(0.5),
    ),
    goal(
        "the same, at a pace",
        |all| nodes(all, NODES[1]),
        Limit::Times(0.5),
    ),
    goal(
        "three nodes, one room, beside Node with Redis",
        |all| nodes(all, NODES[2]),
        Limit::Times(0.5),
    ),
    goal(
        "a client that does not read: memory for it at most",
        |all| Some(ours(all, SLOW, "held_kib")? / 1024.0),
        Limit::Told("MiB, bounded"),
    ),
    goal(
        "avalanche: clients that come back",
        |all| ours(all, AVALANCHE, "back_percent"),
        Limit::Told("%, all"),
    ),
    goal(
        "avalanche: memory at most",
        |all| ours(all, AVALANCHE, "peak_mib"),
        Limit::Told("MiB, bounded"),
    ),
];

const fn goal(title: &'static str, read: fn(&Readings) -> Option<f64>, limit: Limit) -> Goal {
    Goal { title, read, limit }
}

/// All of them; what this run did not measure says so.
pub(crate) fn rows(readings: &Readings) -> Vec<Row> {
    GOALS
        .iter()
        .map(|goal| row(goal.title, (goal.read)(readings), goal.limit))
        .collect()
}

fn row(title: &'static str, figure: Option<f64>, limit: Limit) -> Row {
    let goal = match limit {
        Limit::Times(most) => format!("≤ {most} ×"),
        Limit::AtLeast(least) => format!("≥ {least} ×"),
        Limit::Most(most, unit) => format!("≤ {most} {unit}"),
        Limit::Told(what) => what.to_owned(),
    };
    let Some(value) = figure.filter(|value| value.is_finite()) else {
        return Row {
            title,
            figure: String::new(),
            goal,
            ratio: None,
            verdict: "not measured",
        };
    };
    let (unit, ratio) = match limit {
        Limit::Times(most) => ("×", Some(value / most)),
        Limit::AtLeast(least) => ("×", Some(least / value)),
        Limit::Most(most, unit) => (unit, Some(value / most)),
        Limit::Told(_) => ("", None),
    };
    let verdict = match ratio {
        Some(ratio) if ratio <= 1.0 => "met",
        Some(_) => "missed",
        None => "told",
    };
    Row {
        title,
        figure: format!("{value:.2} {unit}").trim_end().to_owned(),
        goal,
        ratio,
        verdict,
    }
}

fn ours(all: &Readings, part: &str, name: &str) -> Option<f64> {
    all.value(part, Wakeline, name)
}

/// Processor time a message, ours by another's in the same run.
fn beside(all: &Readings, part: &str, other: Peer) -> Option<f64> {
    recovery(all, part, Wakeline, other)
}

fn recovery(all: &Readings, part: &str, on: Peer, off: Peer) -> Option<f64> {
    Some(all.value(part, on, CPU)? / all.value(part, off, CPU)?)
}

/// How many times more messages two cores could do.
fn two_cores(all: &Readings, [one, two]: [&str; 2]) -> Option<f64> {
    Some(2.0 * ours(all, one, CPU)? / ours(all, two, CPU)?)
}

fn nodes(all: &Readings, part: &str) -> Option<f64> {
    beside(all, part, Peer::NodeRedis)
}

#[cfg(test)]
mod tests;
