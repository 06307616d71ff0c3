//! Socket.IO v5 without input or output: packets, their text form, binary reassembly, namespaces, acks and the
//! recovery handshake. Source of the wire format: the Socket.IO protocol document, revision 5, and the
//! behaviour of the reference server (socket.io 4.8).
//!
//! Arguments are never parsed into values: received text is a slice of its frame, checked once to be JSON.
mod connection;
mod data;
mod decode;
pub mod encode;
mod json;
mod placeholders;
mod reassembly;
mod violation;

pub use connection::{Connection, Output, RecoveryClaim};
pub use data::{DataError, EventData};
pub use violation::Violation;

/// Stock clients refuse a packet with more.
pub const ATTACHMENTS_MAX: usize = 10;

#[cfg(test)]
mod tests;
