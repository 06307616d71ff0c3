//! Figures for the eye: one table a part, a row a server, and what ours are of others'.
use std::fmt::Write as _;

use crate::{figures::Figures, peers::Peer, run::Readings};

/// A figure, how its column is headed, by what it is divided for the eye, and how many decimals it has.
struct Column {
    name: &'static str,
    title: &'static str,
    scale: f64,
    decimals: usize,
}

const fn column(name: &'static str, title: &'static str, scale: f64, decimals: usize) -> Column {
    Column {
        name,
        title,
        scale,
        decimals,
    }
}

/// Columns that nobody has a value for are left out.
const COLUMNS: &[Column] = &[
    column("rate", "a second", 1.0, 0),
    column("cpu_us", "CPU µs", 1.0, 2),
    column("user_us", "user", 1.0, 2),
    column("system_us", "system", 1.0, 2),
    column("leave_us", "leaving µs", 1.0, 2),
    column("busy_percent", "busy %", 1.0, 0),
    column("p50_ms", "p50 ms", 1.0, 2),
    column("p99_ms", "p99", 1.0, 2),
    column("p999_ms", "p99.9", 1.0, 2),
    column("max_ms", "max", 1.0, 1),
    column("hot_p99_us", "hot p99 µs", 1.0, 1),
    column("warm_p50_us", "warm p50", 1.0, 1),
    column("warm_p99_us", "warm p99", 1.0, 1),
    column("cold_p50_us", "cold p50", 1.0, 1),
    column("cold_p99_us", "cold p99", 1.0, 1),
    column("app_bytes", "KiB an app", 1024.0, 2),
    column("early_mib", "MiB early", 1.0, 1),
    column("late_mib", "MiB late", 1.0, 1),
    column("growth_percent", "growth %", 1.0, 1),
    column("left_over", "left over", 1.0, 0),
    column("session_bytes", "KiB a session", 1024.0, 2),
    column("back_percent", "back %", 1.0, 1),
    column("closed_percent", "cut off %", 1.0, 0),
    column("recovered_percent", "recovered %", 1.0, 1),
    column("missed_percent", "of missed messages %", 1.0, 1),
    column("held_kib", "KiB a slow client", 1.0, 0),
    column("before_mib", "MiB before", 1.0, 1),
    column("open_mib", "MiB open", 1.0, 1),
    column("after_mib", "MiB after", 1.0, 1),
    column("peak_mib", "MiB at most", 1.0, 1),
    column("errors", "errors", 1.0, 0),
    column("others_percent", "others %", 1.0, 0),
];

/// What servers are compared by, and with whom.
const COMPARED: [&str; 2] = ["cpu_us", "session_bytes"];
const BESIDE: [(Peer, &str); 3] = [
    (Peer::Epoll, "/ epoll"),
    (Peer::Socketioxide, "/ socketioxide"),
    (Peer::Node, "/ node"),
];

/// All parts, as text with a table each.
pub(crate) fn text(readings: &Readings) -> String {
    let mut text = String::new();
    for part in &readings.parts {
        text.push_str(&part_table(readings, part));
    }
    for left_out in &readings.left_out {
        _ = writeln!(text, "\nLEFT OUT: {left_out}");
    }
    text
}

fn part_table(readings: &Readings, part: &str) -> String {
    let servers: Vec<(Peer, Figures)> = Peer::ALL
        .into_iter()
        .filter_map(|peer| Some((peer, readings.of(part, peer)?)))
        .collect();
    let has = |name: &str| servers.iter().any(|(_, figures)| figures.get(name).is_some());
    let columns: Vec<&Column> = COLUMNS.iter().filter(|column| has(column.name)).collect();
    let compared = COMPARED.into_iter().find(|name| has(name));
    let beside: Vec<_> = BESIDE
        .iter()
        .filter(|(peer, _)| servers.iter().any(|(there, _)| there == peer))
        .collect();
    let mut head = vec![part.to_owned()];
    head.extend(columns.iter().map(|column| column.title.to_owned()));
    head.extend(beside.iter().map(|(_, title)| (*title).to_owned()));
    let mut rows = vec![head];
    for (peer, figures) in &servers {
        let mut row = vec![peer.name().to_owned()];
        for column in &columns {
            let value = figures.get(column.name);
            row.push(value.map_or_else(String::new, |value| {
                decimal(value / column.scale, column.decimals)
            }));
        }
        for (other, _) in &beside {
            let ratio = compared.and_then(|name| {
                let theirs = servers.iter().find(|(there, _)| there == other)?.1.get(name)?;
                (theirs > 0.0).then_some(figures.get(name)? / theirs)
            });
            row.push(ratio.map_or_else(String::new, |ratio| decimal(ratio, 2)));
        }
        rows.push(row);
    }
    aligned(&rows)
}

fn decimal(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}")
}

/// The first column to the left, the others to the right.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |place: usize| {
        let cells = rows.iter().filter_map(|row| row.get(place));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::from("\n");
    for row in rows {
        for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let width = *width;
            _ = match place {
                0 => write!(text, "{cell:width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
