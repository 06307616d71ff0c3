//! What can be typed. Every field says what `--help` says of it.
mod remote;
mod serve;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use self::{
    remote::{
        Apps, Audit, Delete, Deploy, Host, Live, Login, Logs, Nodes, Profiles, ProfilesCommand, Push,
        Rollback, SecretCommand, Secrets, TokenCommand, Tokens, Versions, Wait, Whoami,
    },
    serve::Serve,
};

/// Realtime for many apps: the line stays up, your code wakes when somebody speaks.
#[derive(Parser)]
#[command(
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_long_help = MORE
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a new app
    New(New),
    /// Build an app, serve it on this machine and reload it on change
    Dev(Dev),
    /// Build an app's component and check it
    Build(Build),
    /// Build an app and make it live on a host, without closing a socket
    Deploy(Deploy),
    /// Serve as a host: the apps that are deployed to it, and those of the folders named
    Serve(Box<Serve>),
    /// Show the apps of a host, or one with its state on every node
    Apps(Apps),
    /// Show an app's versions, newest first
    Versions(Versions),
    /// Make a version live that is on the host already, for all or some sockets
    Live(Live),
    /// Go back to the version before, or to one named
    Rollback(Rollback),
    /// Remove an app with all that it has: versions, secrets, tokens, stored data
    Delete(Delete),
    /// Show what an app and the host say of it, as it is said
    Logs(Logs),
    /// Emit an event to an app's sockets, or hand a message to its push handler
    Push(Push),
    /// List, set and unset an app's secrets
    Secrets(Secrets),
    /// List, create and revoke tokens
    Tokens(Tokens),
    /// Show who changed what
    Audit(Audit),
    /// Show the nodes of a host
    Nodes(Nodes),
    /// Show whose token this is and what it may do
    Whoami(Whoami),
    /// Keep a host's address and token under a name
    Login(Login),
    /// Show the hosts that are kept
    Profiles(Profiles),
    /// Print the completion script of a shell
    Completions(Completions),
}

/// What stands below the long help.
const MORE: &str = "\
Hosts:
  Commands that speak to a host find it, and the token, in this order:
    --host, --profile, --token-file
    WAKELINE_HOST, WAKELINE_PROFILE, WAKELINE_TOKEN
    the default profile of ~/.config/wakeline/config.toml (`wakeline login` makes it)
    http://127.0.0.1:3001, with the token of ./wakeline-data/admin-token
  A profile's token is sent to that profile's host only.

Output:
  Results go to stdout, everything else to stderr. With --json, stdout has one JSON object,
  whose fields are named as in the admin API (GET /v1/openapi.json); if the command failed it
  has `error`. `logs --json` prints one object a line.

Exit codes:
   0  done
  64  the command line, a variable, or a host's settings file is wrong
  65  the app is refused: its manifest, its build, its component; or what was sent
  66  the host has no such app, version, secret or token; or there is no such file
  69  a host, a program or a file system is not there, or does not answer
  70  a mistake in wakeline itself
  73  a file cannot be written
  75  not yet: nodes are behind, or the host asks to try later
  76  what answers is no wakeline
  77  the token is wrong, or may not do this
  78  the file of profiles is wrong";

#[derive(Args)]
pub(crate) struct Dev {
    /// The app's folder
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Where to listen; port 0 picks a free one
    #[arg(
        long,
        value_name = "ADDR",
        env = "WAKELINE_LISTEN",
        default_value = "127.0.0.1:3000"
    )]
    pub(crate) listen: String,
    /// Where to keep sessions, state and messages across restarts [default: in memory]
    #[arg(long, value_name = "DIR", env = "WAKELINE_DATA")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct New {
    /// Name of the app and of its folder
    pub(crate) name: String,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Build {
    /// The app's folder
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Completions {
    pub(crate) shell: Shell,
}

impl Command {
    /// Whether whoever asked reads JSON, an error's too.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Dev(_) | Self::Serve(_) | Self::Completions(_) => false,
            Self::New(new) => new.json,
            Self::Build(build) => build.json,
            Self::Login(login) => login.json,
            Self::Profiles(profiles) => profiles.json,
            Self::Deploy(Deploy { host, .. })
            | Self::Apps(Apps { host, .. })
            | Self::Versions(Versions { host, .. })
            | Self::Live(Live { host, .. })
            | Self::Rollback(Rollback { host, .. })
            | Self::Delete(Delete { host, .. })
            | Self::Logs(Logs { host, .. })
            | Self::Push(Push { host, .. })
            | Self::Secrets(Secrets { host, .. })
            | Self::Tokens(Tokens { host, .. })
            | Self::Audit(Audit { host, .. })
            | Self::Nodes(Nodes { host })
            | Self::Whoami(Whoami { host }) => host.json,
        }
    }
}
