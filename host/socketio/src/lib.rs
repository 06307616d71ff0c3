//! Socket.IO v5 without input or output: packets, their text form, binary reassembly, namespaces, acks and the
//! recovery handshake. Source of the wire format: the Socket.IO protocol document, revision 5, and the
//! behaviour of the reference server (socket.io 4.8).
mod data;

use std::{sync::Arc, time::{Duration, Instant}};

use bytes::Bytes;
pub use data::{DataError, EventData};
use engineio::{Message, Packet};

/// The Socket.IO side of one Engine.IO session: decodes, keeps the namespaces joined, times out a client that joins none.
/// Drain [`Connection::poll_output`] after every mutation.
pub struct Connection(());

/// What the layer above is told.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// A client wants to join: answer with `accept` or `refuse`. Until then its events to that namespace are
    /// a protocol error, as in the reference server.
    Connect { namespace: Arc<str>, auth: Option<String>, recovery: Option<RecoveryClaim> },
    Event { namespace: Arc<str>, ack: Option<u64>, data: EventData },
    Ack { namespace: Arc<str>, id: u64, data: EventData },
    /// The client left the namespace; it is forgotten here already.
    Disconnect { namespace: Arc<str> },
    /// The client broke the protocol, or joined no namespace in time: close the connection. Nothing follows.
    Broken(Violation),
}

/// `pid` and `offset` of a CONNECT payload: they were taken out of nothing; `auth` still has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryClaim { pub pid: String, pub offset: Option<String> }

/// What a client did wrong. For logs; on the wire all of them close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("no namespace joined in time")]
    ConnectTimeout,
    #[error("malformed packet")]
    Malformed,
    // the author of this crate adds the others
}

impl Connection {
    /// `namespaces` that may be joined are checked here: others are answered `Invalid namespace` by an output packet
    /// that [`Connection::poll_packet`] gives.
    pub fn new(_connect_timeout: Duration, _now: Instant) -> Self { unimplemented!() }
    pub fn handle_message(&mut self, _message: Message, _now: Instant) { unimplemented!() }
    pub fn handle_timeout(&mut self, _now: Instant) { unimplemented!() }
    pub fn timeout(&self) -> Option<Instant> { unimplemented!() }
    /// The namespace is joined; events flow. The caller sends the CONNECT packet itself ([`encode::connect`]).
    pub fn accept(&mut self, _namespace: &str) { unimplemented!() }
    /// The namespace is not joined, or left by the server. The caller sends the packet.
    pub fn remove(&mut self, _namespace: &str) { unimplemented!() }
    pub fn poll_output(&mut self) -> Option<Output> { unimplemented!() }
}

/// Packets as they go out: the first is text, with the Engine.IO type `4` before it; attachments follow.
pub mod encode {
    use super::*;
    pub fn connect(_namespace: &str, _sid: &str, _pid: Option<&str>) -> Packet { unimplemented!() }
    /// `data` is JSON text.
    pub fn connect_error(_namespace: &str, _message: &str, _data: Option<&str>) -> Packet { unimplemented!() }
    pub fn disconnect(_namespace: &str) -> Packet { unimplemented!() }
    /// EVENT or BINARY_EVENT. `offset` becomes the last argument; `ack` is the id of an answer asked for.
    pub fn event(_namespace: &str, _data: &EventData, _ack: Option<u64>, _offset: Option<&str>) -> Vec<Packet> { unimplemented!() }
    /// ACK or BINARY_ACK.
    pub fn ack(_namespace: &str, _id: u64, _data: &EventData) -> Vec<Packet> { unimplemented!() }
}
