//! `cargo xtask test`: everything, in the order in which a failure is cheapest.
mod kind;
mod report;
mod runner;
mod tally;

use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

pub(crate) use self::report::VARIABLE as REPORT;
use self::{kind::Kind, report::Report, runner::Runner, tally::Tally};
use crate::{chores, guests, sh, tidy, tools};

#[derive(Args)]
pub(crate) struct Options {
    /// Run only tests whose name contains this; skips installing, formatting and lints.
    filter: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let started = Instant::now();
    let mut tally = Tally::default();
    let whole = options.filter.is_none();
    if whole {
        for missing in tools::install()? {
            tally.announce(format!("{} is missing: {}", missing.what, missing.why));
        }
        one(&mut tally, Kind::Format, "cargo fmt --check", check_format());
        one(&mut tally, Kind::Tidy, "house rules", tidy::run());
    }
    guests::build()?;
    sh::step("building the host and its tests (wasmtime takes some minutes, once)");
    sh::run(sh::cargo().args(["build", "--release", "--package", "wakeline"]))?;
    let report = Report::new()?;
    let runner = Runner {
        filter: options.filter.as_deref(),
        report: &report,
    };
    runner.host(&mut tally)?;
    runner.guests(&mut tally)?;
    if whole {
        one(&mut tally, Kind::Lint, "clippy", lint());
    }
    if whole {
        sh::step("the guard: what happens most, and a session that says nothing, by their ratchets");
        one(
            &mut tally,
            Kind::Guard,
            "the guard",
            chores::guard(Some(&report.path)),
        );
    }
    report.read_into(&mut tally)?;
    println!("\n{tally}");
    println!("in {} s", started.elapsed().as_secs());
    println!("{}", tally.closing_line());
    if tally.failed() > 0 {
        bail!("{} failed", tally.failed());
    }
    Ok(())
}

/// A step that counts as one test.
fn one(tally: &mut Tally, kind: Kind, name: &str, done: Result<()>) {
    if let Err(error) = done {
        println!("FAILED {name}: {error:#}");
        tally.fail(kind, name.to_owned());
    } else {
        tally.pass(kind);
    }
}

fn check_format() -> Result<()> {
    sh::step("formatting");
    // -l: the names of files are enough, `cargo fmt` does the rest.
    let check = ["fmt", "--all", "--check", "--", "-l"];
    sh::run(sh::cargo().args(check))?;
    for dir in guests::workspaces() {
        sh::run(sh::cargo().args(check).current_dir(dir))?;
    }
    Ok(())
}

/// In the release profile, so that build scripts and procedural macros are not built a second time.
fn lint() -> Result<()> {
    sh::step("lints");
    let arguments = [
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    sh::run(sh::cargo().args(arguments))
}
