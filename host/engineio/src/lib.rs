//! Engine.IO v4 without input or output. Source of the wire format: the Engine.IO protocol document,
//! revision 4, and the behaviour of the reference server (engine.io 6.6).
use std::time::{Duration, Instant};

use bytes::Bytes;

/// An app's Engine.IO settings. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    pub upgrade_timeout: Duration,
    /// Largest message and largest POST body; told to clients as `maxPayload`.
    pub max_payload_bytes: usize,
    pub polling: bool,
    pub websocket: bool,
    /// Bytes that may wait for a poll or a slow WebSocket before the connection is closed.
    pub queue_bytes_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Polling,
    WebSocket,
}

/// A request that is refused, as the reference server words it: [`Refusal::status`], [`Refusal::body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("Transport unknown")]
    TransportUnknown,
    #[error("Session ID unknown")]
    SessionUnknown,
    #[error("Bad handshake method")]
    BadHandshakeMethod,
    #[error("Bad request")]
    BadRequest,
    #[error("Forbidden")]
    Forbidden,
    #[error("Unsupported protocol version")]
    UnsupportedVersion,
    /// A second GET or POST at once, or a body that may not be: 400 without a body; the session is closed.
    #[error("protocol broken")]
    Broken,
    /// 413 without a body; the session lives on.
    #[error("payload too large")]
    TooLarge,
    /// 503 with `Retry-After`: the node drains or the app is at its limit of sessions.
    #[error("unavailable")]
    Unavailable,
}

/// A message of the layer above, received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Valid UTF-8.
    Text(Bytes),
    Binary(Bytes),
}

/// A message packet ready for the wire, shared by all its receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// Valid UTF-8, the packet type `4` included as its first byte.
    Text(Bytes),
    /// The message's bytes; a binary frame as they are, base64 behind `b` in a poll.
    Binary(Bytes),
}

/// What is to be done after a mutation: drain with [`Connection::poll_output`] until `None`.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Answer the pending GET with 200 and this payload.
    Poll(Bytes),
    /// Write a text frame to the attached WebSocket.
    Text(Bytes),
    /// Write a binary frame to the attached WebSocket.
    Binary(Bytes),
    /// Close the attached WebSocket (with this code, or without one) and forget it; the session may live on.
    CloseWebSocket(Option<u16>),
    /// A message for the layer above.
    Message(Message),
    /// The session is over; nothing follows.
    Closed(CloseReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client sent a close packet or a close frame.
    ClientClose,
    /// The transport broke: a poll aborted, a WebSocket ended without a close frame.
    TransportError,
    PingTimeout,
    /// The client broke the protocol.
    ParseError,
    /// `close` was called.
    ServerClose,
    /// The client was too slow: more than `queue_bytes_max` waited for it.
    Overflow,
}

/// One Engine.IO session: it outlives its transports. Sans-IO: takes `now`, keeps no clock.
pub struct Connection(());

impl Connection {
    /// A session as its handshake opens it. Its first output is the open packet.
    pub fn new(_sid: &str, _settings: &Settings, _via: Transport, _now: Instant) -> Self { unimplemented!() }
    /// A GET arrived. A second one at once is [`Refusal::Broken`] and closes the session.
    pub fn handle_poll(&mut self, _settings: &Settings, _now: Instant) -> Result<(), Refusal> { unimplemented!() }
    /// The pending GET was aborted by the client.
    pub fn handle_poll_gone(&mut self, _settings: &Settings, _now: Instant) { unimplemented!() }
    /// A POST's whole body arrived.
    pub fn handle_post(&mut self, _settings: &Settings, _body: &Bytes, _now: Instant) -> Result<(), Refusal> { unimplemented!() }
    /// A WebSocket with this session's sid was accepted: probes, or is to be closed at once (an output says so).
    pub fn handle_websocket(&mut self, _settings: &Settings, _now: Instant) -> Result<(), Refusal> { unimplemented!() }
    /// A text frame arrived on the attached WebSocket.
    pub fn handle_text(&mut self, _settings: &Settings, _text: Bytes, _now: Instant) { unimplemented!() }
    pub fn handle_binary(&mut self, _settings: &Settings, _bytes: Bytes, _now: Instant) { unimplemented!() }
    /// The attached WebSocket is gone; `clean` if by a close frame.
    pub fn handle_websocket_gone(&mut self, _settings: &Settings, _clean: bool, _now: Instant) { unimplemented!() }
    pub fn handle_timeout(&mut self, _settings: &Settings, _now: Instant) { unimplemented!() }
    /// Sends a message packet, in order, by whatever transport there is.
    pub fn send(&mut self, _settings: &Settings, _packet: &Packet, _now: Instant) { unimplemented!() }
    /// Closes from the server's side: a close packet for a poll, a close frame for a WebSocket.
    pub fn close(&mut self, _settings: &Settings, _reason: CloseReason, _now: Instant) { unimplemented!() }
    /// Whether a packet sent now would go out at once (for volatile emits).
    pub fn is_writable(&self) -> bool { unimplemented!() }
    pub fn transport(&self) -> Transport { unimplemented!() }
    pub fn is_closed(&self) -> bool { unimplemented!() }
    /// When to call `handle_timeout` next, at the latest.
    pub fn timeout(&self) -> Option<Instant> { unimplemented!() }
    pub fn poll_output(&mut self) -> Option<Output> { unimplemented!() }
}
