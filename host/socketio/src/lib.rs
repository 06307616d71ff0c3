//! Socket.IO v5 without input or output: packets, their text form, binary reassembly, namespaces, acks and the
//! recovery handshake. Source of the wire format: the Socket.IO protocol document, revision 5, and the
//! behaviour of the reference server (socket.io 4.8).
mod data;

pub use data::{DataError, EventData};
