//! The `wakeline` command. `main` only assembles: what is said is in `ui`, what serves is in `server`.
mod cli;

mod access;
mod apps;
mod build;
mod completions;
mod deploy;
mod dev;
mod failure;
mod fields;
mod input;
mod login;
mod logs;
mod memory;
mod near;
mod new;
mod profiles;
mod push;
mod remote;
mod rollout;
mod secrets;
mod serve;
mod target;
mod tokens;
mod trace;
mod ui;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{Cli, Command},
    failure::Failure,
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ui::usage(&error),
    };
    let json = cli.command.json();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            ui::failure(&failure);
            if json {
                ui::json(&failure.json());
            }
            failure.exit_code()
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::New(arguments) => new::run(&arguments),
        Command::Dev(arguments) => dev::run(&arguments),
        Command::Build(arguments) => build::run(&arguments),
        Command::Deploy(arguments) => deploy::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Apps(arguments) => apps::apps(&arguments),
        Command::Versions(arguments) => apps::versions(&arguments),
        Command::Live(arguments) => rollout::live(&arguments),
        Command::Rollback(arguments) => rollout::rollback(&arguments),
        Command::Delete(arguments) => apps::delete(&arguments),
        Command::Logs(arguments) => logs::run(&arguments),
        Command::Push(arguments) => push::run(&arguments),
        Command::Secrets(arguments) => secrets::run(&arguments),
        Command::Tokens(arguments) => tokens::run(&arguments),
        Command::Audit(arguments) => apps::audit(&arguments),
        Command::Nodes(arguments) => apps::nodes(&arguments),
        Command::Whoami(arguments) => login::whoami(&arguments),
        Command::Login(arguments) => login::login(&arguments),
        Command::Profiles(arguments) => login::profiles(&arguments),
        Command::Completions(arguments) => {
            completions::run(&arguments);
            Ok(())
        }
    }
}
