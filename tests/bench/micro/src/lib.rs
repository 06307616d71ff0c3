//! Micro-benches that read no clock: `cargo bench --bench micro` prints how many instructions each case takes, by valgrind's
//! callgrind. The same on a slow machine and on a busy one, to within the hash maps' seeds.
#![allow(clippy::print_stdout, reason = "what it finds is told on the terminal")]
use std::{
    env,
    process::{Command, Stdio},
};

use anyhow::Context as _;

/// What is measured, and a function that does it so many times. What it needs is made before it is done the first time.
pub type Case = (&'static str, fn(u64));

/// A bench's whole `main`. A case is run in a process of its own, twice: what is done a thousand times more in the second is
/// the difference, so what comes before and after counts for nothing.
///
/// # Errors
///
/// There is no valgrind, or a case panics.
pub fn main(cases: &[Case]) -> anyhow::Result<()> {
    let words: Vec<_> = env::args().skip(1).collect();
    if let [word, name, times] = &words[..]
        && word == RUN
    {
        let (_, run) = cases
            .iter()
            .find(|(known, _)| known == name)
            .context("no such case")?;
        run(times.parse()?);
        return Ok(());
    }
    for (name, _) in cases {
        let (few, many) = (instructions(name, FEW)?, instructions(name, FEW + MORE)?);
        println!("{name:<50} {:>8} instructions", many.saturating_sub(few) / MORE);
    }
    Ok(())
}

fn instructions(name: &str, times: u64) -> anyhow::Result<u64> {
    let mut counted = Command::new("valgrind");
    counted.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    counted
        .arg(env::current_exe()?)
        .args([RUN, name, &times.to_string()]);
    let output = counted
        .stdin(Stdio::null())
        .output()
        .context("cannot start valgrind (on Debian: apt-get install valgrind)")?;
    let told = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{name}:\n{told}");
    let count = told.lines().find_map(|line| line.split_once("Collected : "));
    let (_, count) = count.with_context(|| format!("valgrind tells no count:\n{told}"))?;
    Ok(count.trim().parse()?)
}

/// The word by which a bench's own process is told from the one that somebody started.
const RUN: &str = "run";
/// Enough for allocators and tables to have what they keep.
const FEW: u64 = 100;
const MORE: u64 = 1_000;
