//! What is left of a run: JSON, pictures, and the README's block.
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};
use serde_json::json;

use crate::{
    figures::Figures,
    goals::{self, Row},
    machine,
    peers::{Peer, install},
    plot,
    run::Readings,
    table,
};

/// How the block in the README begins and ends.
const BEGIN: &str = "<!-- Made by `cargo xtask bench --readme`. -->";
const END: &str = "<!-- The end of what is made. -->";

/// When and where a run was, and how it was asked for.
pub(crate) struct Place {
    pub(crate) date: String,
    commit: String,
    machine: String,
    /// Of what is measured; empty until all of it is installed.
    pub(crate) versions: String,
    command: String,
}

impl Place {
    pub(crate) fn here() -> Self {
        let said = |program: &str, words: &[&str]| {
            let output = Command::new(program)
                .args(words)
                .current_dir(install::root())
                .output();
            let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
            text.unwrap_or_default()
        };
        let words: Vec<String> = std::env::args().skip(1).collect();
        Self {
            date: said("date", &["-u", "+%-d %B %Y"]),
            commit: said("git", &["rev-parse", "--short=10", "HEAD"]),
            machine: machine::describe(),
            versions: String::new(),
            command: format!("cargo xtask bench {}", words.join(" "))
                .trim_end()
                .to_owned(),
        }
    }
}

/// Prints the goals, and writes what there is into target/bench.
pub(crate) fn write(readings: &Readings, name: &str, place: &Place) -> anyhow::Result<()> {
    let rows = goals::rows(readings);
    let measured = || rows.iter().filter(|row| row.verdict != "not measured");
    if measured().next().is_some() {
        println!("{}", goals_text(measured()));
    }
    let folder = install::target()?.join("bench");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.json"));
    fs::write(
        &file,
        serde_json::to_string_pretty(&json(readings, &rows, place))? + "\n",
    )?;
    println!("written: {}", file.display());
    for path in pictures(readings, &folder)? {
        println!("written: {}", path.display());
    }
    Ok(())
}

/// Fills the marked block of the README, and draws its pictures.
pub(crate) fn fill_readme(readings: &Readings, place: &Place) -> anyhow::Result<()> {
    let folder = install::root().join("tests/bench/plots");
    fs::create_dir_all(&folder)?;
    let drawn = pictures(readings, &folder)?;
    ensure!(drawn.len() == 2, "a picture has nothing to show");
    let file = install::root().join("README.md");
    let readme = fs::read_to_string(&file)?;
    let block = markdown(readings, &goals::rows(readings), place);
    let filled = replaced(&readme, &block).context("README.md has no block for the figures")?;
    fs::write(&file, filled)?;
    println!("written: {}", file.display());
    Ok(())
}

fn pictures(readings: &Readings, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for (name, svg) in [
        ("cpu.svg", plot::cpu(readings)),
        ("idle.svg", plot::idle(readings)),
    ] {
        if let Some(svg) = svg {
            let file = folder.join(name);
            fs::write(&file, svg)?;
            written.push(file);
        }
    }
    Ok(written)
}

fn goals_text<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let head = ["Ours to reach", "figure", "goal", "of the goal", ""];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    cells.extend(rows.map(goal_cells));
    table::aligned(&cells)
}

fn goal_cells(row: &Row) -> Vec<String> {
    let ratio = row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    vec![
        row.title.to_owned(),
        row.figure.clone(),
        row.goal.clone(),
        ratio,
        row.verdict.to_owned(),
    ]
}

fn json(readings: &Readings, rows: &[Row], place: &Place) -> serde_json::Value {
    let values = |figures: &Figures| -> serde_json::Value { json!(figures.0) };
    let mut parts = serde_json::Map::new();
    for part in &readings.parts {
        let mut servers = serde_json::Map::new();
        for ((_, peer), rounds) in readings.by.iter().filter(|((name, _), _)| name == part) {
            let each: Vec<_> = rounds.iter().map(values).collect();
            let both = json!({ "median": values(&Figures::medians(rounds)), "rounds": each });
            servers.insert(peer.name().to_owned(), both);
        }
        parts.insert((*part).to_owned(), servers.into());
    }
    let goals: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({ "title": row.title, "figure": row.figure, "goal": row.goal, "ratio": row.ratio, "verdict": row.verdict })
        })
        .collect();
    json!({
        "date": place.date, "commit": place.commit, "command": place.command, "machine": place.machine,
        "versions": place.versions, "parts": parts, "goals": goals, "left_out": readings.left_out,
    })
}

/// A column of the README's table: its heading, its part, its figure, by what that is divided.
type Column = (&'static str, &'static str, &'static str, f64);

const COLUMNS: &[Column] = &[
    ("echo + ack", crate::echo::SATURATED, "cpu_us", 1.0),
    ("a delivery to 1,000, flat out", crate::crowd::ONE, "cpu_us", 1.0),
    ("one by one", crate::crowd::ONE_BY_ONE, "cpu_us", 1.0),
    ("100 rooms of ten", crate::crowd::TENS, "cpu_us", 1.0),
    ("handshake", crate::connect::CONNECT, "cpu_us", 1.0),
    ("long-poll echo", crate::polling::POLLING, "cpu_us", 1.0),
    ("idle session, KiB", crate::idle::IDLE, "session_bytes", 1024.0),
];

fn markdown(readings: &Readings, rows: &[Row], place: &Place) -> String {
    let mut text = format!("{BEGIN}\n\n");
    _ = writeln!(
        text,
        "`{}`, {}, commit {}: {}; {}.\n",
        place.command, place.date, place.commit, place.machine, place.versions
    );
    let titles: Vec<&str> = COLUMNS.iter().map(|(title, ..)| *title).collect();
    _ = writeln!(
        text,
        "| processor time a message, µs | {} | echo at 1,000/s: p50 · p99, ms |",
        titles.join(" | ")
    );
    _ = writeln!(text, "|---{}|", "|---:".repeat(titles.len() + 1));
    for peer in Peer::ALL {
        let cells: Vec<String> = COLUMNS
            .iter()
            .map(|(_, part, name, scale)| cell(readings.value(part, peer, name).map(|value| value / scale)))
            .collect();
        if cells.iter().all(String::is_empty) {
            continue;
        }
        let calm = |name: &str| cell(readings.value(crate::echo::CALM, peer, name));
        let title = if peer == Peer::Wakeline {
            format!("**{}**", peer.title())
        } else {
            peer.title().to_owned()
        };
        let times = format!("{} · {}", calm("p50_ms"), calm("p99_ms"));
        _ = writeln!(
            text,
            "| {title} | {} | {} |",
            cells.join(" | "),
            times.trim_matches(|c| c == ' ' || c == '·')
        );
    }
    text.push_str(
        "\n![Processor time of a message, by server](tests/bench/plots/cpu.svg)\n\n\
         ![Resident memory of an idle session, by server](tests/bench/plots/idle.svg)\n\n\
         | what Wakeline is to reach | figure | goal | |\n|---|---:|---:|---|\n",
    );
    for row in rows.iter().filter(|row| row.verdict != "not measured") {
        let verdict = if row.verdict == "missed" {
            "**missed**"
        } else {
            row.verdict
        };
        _ = writeln!(
            text,
            "| {} | {} | {} | {verdict} |",
            row.title, row.figure, row.goal
        );
    }
    for left_out in &readings.left_out {
        _ = writeln!(text, "\nLeft out: {left_out}.");
    }
    _ = write!(text, "\n{END}");
    text
}

/// Three digits that count.
fn cell(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) if value >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

fn replaced(readme: &str, block: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{block}{after}"))
}

#[cfg(test)]
mod tests;
