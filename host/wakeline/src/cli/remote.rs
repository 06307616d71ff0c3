//! Commands that speak to a host.
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which host, with whose token, and how to answer. `--help` of `wakeline` has the order of places.
#[derive(Args, Default)]
#[expect(clippy::struct_field_names, reason = "what is typed is --host")]
pub(crate) struct Host {
    /// The host's admin address, such as https://admin.example.org [env: WAKELINE_HOST]
    #[arg(long, value_name = "URL", global = true, help_heading = "Host")]
    pub(crate) host: Option<String>,
    /// A host kept by `wakeline login` [env: WAKELINE_PROFILE]
    #[arg(
        long,
        value_name = "NAME",
        global = true,
        help_heading = "Host",
        conflicts_with = "host"
    )]
    pub(crate) profile: Option<String>,
    /// A file with the token [env: WAKELINE_TOKEN, the token itself]
    #[arg(long, value_name = "FILE", global = true, help_heading = "Host")]
    pub(crate) token_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Deploy {
    /// The app's folder, or a component that is built already
    #[arg(default_value = ".", value_name = "DIR|FILE.wasm")]
    pub(crate) what: PathBuf,
    /// The app's name on the host [default: the manifest's]
    #[arg(long, value_name = "NAME")]
    pub(crate) app: Option<String>,
    #[command(flatten)]
    pub(crate) share: Share,
    #[command(flatten)]
    pub(crate) host: Host,
}

/// Whose the version is to be.
#[derive(Args)]
pub(crate) struct Share {
    /// Only for this many of a hundred sockets; the others stay with the version that is live
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) percent: Option<u8>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

#[derive(Args)]
pub(crate) struct Wait {
    /// How long to wait until all nodes have it [default: 10000]
    #[arg(long, value_name = "MS")]
    pub(crate) wait_ms: Option<u64>,
}

#[derive(Args)]
pub(crate) struct Apps {
    /// Show this one only, with its state on every node
    pub(crate) app: Option<String>,
    #[command(flatten)]
    pub(crate) host: Host,
}

#[derive(Args)]
pub(crate) struct Versions {
    pub(crate) app: String,
    #[command(flatten)]
    pub(crate) host: Host,
}

#[derive(Args)]
pub(crate) struct Live {
    pub(crate) app: String,
    /// A version's number, of `wakeline versions APP`
    pub(crate) version: u32,
    #[command(flatten)]
    pub(crate) share: Share,
    #[command(flatten)]
    pub(crate) host: Host,
}

#[derive(Args)]
pub(crate) struct Rollback {
    pub(crate) app: String,
    /// Which version to go back to [default: what was live before]
    pub(crate) version: Option<u32>,
    #[command(flatten)]
    pub(crate) wait: Wait,
    #[command(flatten)]
    pub(crate) host: Host,
}

#[derive(Args)]
pub(crate) struct Delete {
    pub(crate) app: String,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) host: Host,
}

#[derive(Args)]
pub(crate) struct Logs {
    pub(crate) app: String,
    /// Go on printing lines as they come
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only lines of this socket
    #[arg(long, value_name = "ID")]
    pub(crate) socket: Option<String>,
    /// Only lines of this level and above
    #[arg(long)]
    pub(crate) level: Option<Level>,
    /// Only what the app says (guest), or what the host says of it
    #[arg(long)]
    pub(crate) origin: Option<Origin>,
    /// How many of the lines before now
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) tail: u32,
    #[command(flatten)]
    pub(crate) host: Host,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Origin {
    Guest,
    Host,
}

#[derive(Args)]
pub(crate) struct Push {
    pub(crate) app: String,
    /// The event's name, then its arguments, each in JSON; with --topic the payload alone. `-` reads one from stdin
    #[arg(value_name = "EVENT|JSON", num_args = 0..)]
    pub(crate) words: Vec<String>,
    /// Only to sockets of this room; may be repeated
    #[arg(long, value_name = "ROOM")]
    pub(crate) room: Vec<String>,
    /// Not to sockets of this room; may be repeated
    #[arg(long, value_name = "ROOM")]
    pub(crate) except: Vec<String>,
    #[arg(long, value_name = "NAME", default_value = "/")]
    pub(crate) namespace: String,
    /// Hand the payload to the app's push handler under this topic, instead of emitting
    #[arg(long, conflicts_with_all = ["room", "except", "namespace"])]
    pub(crate) topic: Option<String>,
    /// A second push with the same key does nothing
    #[arg(long, value_name = "TEXT")]
    pub(crate) idempotency_key: Option<String>,
    #[command(flatten)]
    pub(crate) host: Host,
}

#[derive(Args)]
pub(crate) struct Secrets {
    #[command(subcommand)]
    pub(crate) command: SecretCommand,
    #[command(flatten)]
    pub(crate) host: Host,
}

#[derive(Subcommand)]
pub(crate) enum SecretCommand {
    /// Show the names; values are never shown
    List { app: String },
    /// Take a value from stdin, or ask for it; a line's end at its end is not part of it
    Set { app: String, key: String },
    /// Remove a secret
    Unset { app: String, key: String },
}

#[derive(Args)]
pub(crate) struct Tokens {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
    #[command(flatten)]
    pub(crate) host: Host,
}

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Show an app's tokens, or the operators'
    List {
        /// [default: the operators' tokens]
        app: Option<String>,
    },
    /// Make a token and print it, this once
    Create {
        /// The app it is for [default: an operator's token, which may do everything]
        app: Option<String>,
        /// What it is called in lists and in the audit record
        #[arg(long)]
        name: String,
        /// What it may do: read, logs, emit, deploy, secrets, admin; commas between
        #[arg(long, value_name = "SCOPE", value_delimiter = ',')]
        scopes: Vec<String>,
        /// When it ends, such as 12h or 30d [default: never]
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// End a token, by its id
    #[command(allow_missing_positional = true)]
    Revoke { app: Option<String>, id: String },
}

#[derive(Args)]
pub(crate) struct Audit {
    /// Of this app only
    pub(crate) app: Option<String>,
    /// How many entries at most
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,
    #[command(flatten)]
    pub(crate) host: Host,
}

#[derive(Args)]
pub(crate) struct Nodes {
    #[command(flatten)]
    pub(crate) host: Host,
}

#[derive(Args)]
pub(crate) struct Whoami {
    #[command(flatten)]
    pub(crate) host: Host,
}

/// The token is read from stdin, or asked for; it is kept once the host has taken it.
#[derive(Args)]
pub(crate) struct Login {
    /// What the host is called from now on
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) profile: String,
    /// The host's admin address, such as https://admin.example.org
    #[arg(long, value_name = "URL")]
    pub(crate) host: String,
    /// Use it where no host is named; the first one kept is
    #[arg(long)]
    pub(crate) default: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Profiles {
    #[command(subcommand)]
    pub(crate) command: Option<ProfilesCommand>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum ProfilesCommand {
    /// Use a profile where no host is named
    Default { name: String },
    /// Forget a profile and its token
    Remove { name: String },
}
