//! A node without a network: real hubs, real backplane, a small app in Rust, and clients that speak frames. Runs on a
//! paused clock in one thread, so that reconnects, time-outs and restarts take no time and a seed repeats a run.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's mistakes may panic"
)]

mod app;
mod client;

mod checker;
pub mod cluster;
mod entropy;
pub mod figures;
mod net;
mod scribe;

mod random;
mod rig;
pub mod scenario;

pub use app::{Calls, settings};
pub use client::{Client, Frame};
pub use entropy::seeded;
pub use net::{Faults, Handle, Net, Told};
pub use random::Random;
pub use rig::{Rig, run};
