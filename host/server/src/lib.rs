//! Configuration → rooms → signals → drain. The only room that knows all the others: here an app's code meets its
//! sessions, and sessions meet the web.
mod config;
mod server;

mod admin;
mod app_host;
mod apps;
mod assets;
mod auth;
mod book;
mod check;
mod cluster;
mod code;
mod core;
mod fetch;
mod follow;
mod handle;
mod layers;
mod leftovers;
mod listen;
mod logs;
mod metrics;
mod migrate;
mod numbers;
mod push;
mod quota;
mod restore;
mod rooms;
mod secrets;
mod shelf;
mod signals;
mod store;
mod tenants;
mod timers;
mod token;
mod traces;
mod translate;
mod trial;
mod watched;

pub use apps::{BuildError, check_component};
pub use config::{Admin, Cluster, Config, ConfigError, TlsFiles, all_cores};
pub use handle::{Handle, ReloadError};
pub use layers::{Env, File, Strings};
pub use logs::{LogLevel, LogLine, OnLog, Origin};
pub use rooms::check_listen;
pub use server::{Ready, RunError, Server};
pub use signals::Stop;
pub use token::TokenError;

#[cfg(test)]
mod tests;
