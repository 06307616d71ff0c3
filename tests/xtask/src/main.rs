//! Every chore of this repository: `cargo xtask help`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks on its terminal"
)]
#![allow(
    clippy::indexing_slicing,
    reason = "of JSON values only, where what is missing is null"
)]
mod chores;
mod demo;
mod guests;
mod sh;
mod suite;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of the Wakeline repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install what the tests need, build everything, run every test, print what ran.
    Test(suite::Options),
    /// Check the house rules: who may depend on whom, sizes, what stands where.
    Tidy,
    /// Build every guest: examples and the test suite's own components.
    Guests,
    /// Run each fuzz target for a while (needs a nightly toolchain; cargo-fuzz is installed into target/tools).
    Fuzz {
        /// For each target.
        #[arg(long, default_value_t = 30)]
        seconds: u32,
    },
    /// Take the browser's client into the host anew, from the package that the tests use.
    Client,
    /// Break the code on purpose (tests/sim/breaks/*.patch, in a copy) and see that the simulation finds each break.
    Breaks,
    /// Measure, beside peers: all, or `echo`, `fan-out`, …; `--vs`, `--quick`; `bench help` lists them.
    Bench {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Count what happens most: instructions, allocations, bytes of an idle session; more than the ratchet is an error.
    Guard,
    /// Start something to look at and to break, until Ctrl-C.
    Demo {
        #[command(subcommand)]
        what: demo::Demo,
    },
    /// Check licences, advisories and duplicate crates with cargo-deny (installed into target/tools).
    Deny,
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Test(options) => suite::run(&options),
        Chore::Tidy => tidy::run(),
        Chore::Guests => guests::build(),
        Chore::Fuzz { seconds } => chores::fuzz(seconds),
        Chore::Client => chores::client(),
        Chore::Breaks => chores::breaks(),
        Chore::Bench { arguments } => chores::bench(&arguments),
        Chore::Guard => tools::valgrind().and_then(|()| chores::guard(None)),
        Chore::Demo { what } => demo::run(&what),
        Chore::Deny => chores::deny(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
