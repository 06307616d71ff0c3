//! Configuration → rooms → signals → drain. The only room that knows all the others: here an app's code meets its
//! sessions, and sessions meet the web.
mod config;
mod server;

mod admin;
mod apps;
mod cluster;
mod code;
mod core;
mod handle;
mod layers;
mod listen;
mod logs;
mod metrics;
mod rooms;
mod signals;
mod store;
mod timers;
mod token;
mod translate;

pub use apps::{BuildError, check_component};
pub use config::{Admin, Cluster, Config, ConfigError, TlsFiles};
pub use handle::{Handle, ReloadError};
pub use layers::{Env, File, Strings};
pub use logs::{LogLevel, LogLine, OnLog, Origin};
pub use rooms::check_listen;
pub use server::{Ready, RunError, Server};
pub use signals::Stop;
pub use token::TokenError;

#[cfg(test)]
mod tests;
