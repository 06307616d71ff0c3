//! The backplane over NATS.
mod config;
mod nats;
mod stats;

mod blobs;
mod connect;
mod emits;
mod feed;
mod inner;
mod kv;
mod link;
mod log;
mod names;
mod queue;
mod streams;
mod topics;
mod wire;

pub use config::{ConnectError, NatsConfig, ServerInfo};
pub use emits::Emit;
pub use nats::Nats;
pub use stats::Stats;
