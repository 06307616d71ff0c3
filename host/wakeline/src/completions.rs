use std::io;

use clap::CommandFactory;

use crate::cli;

/// `wakeline completions bash > /etc/bash_completion.d/wakeline`, and the like.
pub(crate) fn run(arguments: &cli::Completions) {
    let mut command = cli::Cli::command();
    clap_complete::generate(arguments.shell, &mut command, "wakeline", &mut io::stdout());
}
