//! The task that owns a session. One [`Hub`] a core, on that core's thread only; sessions never leave it.
//! Transports call the hub ([`Hub`], [`WsPort`]); apps are called by it ([`App`]).
mod api;
mod app;

pub use api::{Hub, OpenRequest, Opened, Outgoing, PollBody, Protocol, Refusal, Shards, WsPort};
pub use app::{App, AppEntry, AppSettings, Apps, RecoverySettings};
pub use router::Handshake;
