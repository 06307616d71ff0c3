//! Apps' code: WebAssembly components of the world `wakeline:app/app`, run as transactions. Calls come in as
//! [`router::Call`], what they ask for goes out as [`router::Effect`]s; everything else that a component may reach
//! goes through the trait [`Host`].
//!
//! Invariant: this room knows no socket, session, backplane or network of ours, and no byte of one app's memory is
//! ever seen by another: an instance belongs to one [`Worker`], and its memory is fresh.
mod component;
mod engine;
mod fair;
mod host;
mod limits;
mod quota;
mod worker;

mod bindings;
mod cache;
mod clock;
mod compiler;
mod failure;
mod imports;
mod instance;
mod kv;
mod pace;
mod reach;
mod state;
mod transaction;

pub use compiler::{CompileError, CompileLimits};
pub use component::{Component, Digest, Exports};
pub use engine::{Engine, EngineConfig, StartError};
pub use fair::{Fair, Lanes};
pub use host::{
    Commit, CommitError, Condition, Host, KvWrite, LineOf, LogLevel, Page, SocketInfo, TimerChange,
};
pub use limits::Limits;
pub use quota::{Quota, Spent};
pub use reach::{OutOfReach, reach};
pub use worker::{Source, Stats, Tier, Worker};

#[cfg(test)]
mod tests;
