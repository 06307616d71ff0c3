//! Engine.IO v4 without input or output. Source of the wire format: the Engine.IO protocol document,
//! revision 4, and the behaviour of the reference server (engine.io 6.6).
//!
//! Bytes and `now` go in through `handle_*`; everything to be done comes out of [`Connection::poll_output`].
//! Nothing here reads a clock, draws randomness, awaits or knows HTTP beyond status numbers.
mod connection;
mod handshake;
mod outputs;
mod packet;
pub mod payload;
mod refusal;
mod settings;

pub use connection::{CloseReason, Connection, Output};
pub use outputs::Outputs;
pub use packet::{ClientPacket, Malformed, Message, Packet};
pub use refusal::Refusal;
pub use settings::{Settings, Transport};

#[cfg(test)]
mod tests;
