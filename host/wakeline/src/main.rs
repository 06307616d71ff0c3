//! The `wakeline` command. `main` only assembles: what is said is in `ui`, what serves is in `server`.
mod cli;

mod build;
mod client;
mod dev;
mod failure;
mod new;
mod serve;
mod target;
mod trace;
mod ui;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ui::usage(&error),
    };
    let outcome = match cli.command {
        Command::Dev(arguments) => dev::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Build(arguments) => build::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            ui::failure(&failure);
            failure.exit_code()
        }
    }
}
