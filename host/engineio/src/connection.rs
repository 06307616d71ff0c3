mod heartbeat;
mod polling;
mod queue;
mod websocket;

use std::time::{Duration, Instant};

use bytes::Bytes;
use compact::Moment;

use self::{
    heartbeat::{Beat, Heartbeat},
    polling::Polling,
    queue::Queue,
};
use crate::{
    handshake,
    outputs::Outputs,
    packet::{ClientPacket, Malformed, Message, Packet},
    settings::{Settings, Transport},
};

/// One Engine.IO session: it outlives its transports. Sans-IO: takes `now`, keeps no clock.
///
/// Every mutation must be followed by draining [`Connection::poll_output`] until `None`. Packets that wait for
/// a poll are put into its answer only then, so that all sent in one go share one answer.
#[derive(Debug)]
pub struct Connection {
    phase: Phase,
    heartbeat: Heartbeat,
    /// Packets that wait for a poll, or for the upgrade's end; empty over WebSocket.
    queue: Queue,
    outputs: Outputs<Output>,
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

/// Where packets go.
#[derive(Debug)]
enum Phase {
    /// By polls; a WebSocket may be probing beside them.
    Polling(Polling),
    WebSocket,
    /// Closed while no GET was pending: the next one takes what waits and, if the server closed, the close packet.
    Closing {
        reason: CloseReason,
        until: Moment,
    },
    /// Ended, over this transport.
    Closed(Transport),
}

impl Connection {
    /// A session as its handshake opens it. Its first output is the open packet: the answer to the handshake's
    /// GET, or the first frame.
    pub fn new(sid: &str, settings: &Settings, via: Transport, now: Instant) -> Self {
        let open = handshake::open_packet(sid, settings, via);
        let mut outputs = Outputs::new();
        let phase = match via {
            Transport::Polling => {
                outputs.push(Output::Poll(open));
                Phase::Polling(Polling::default())
            }
            Transport::WebSocket => {
                outputs.push(Output::Text(open));
                Phase::WebSocket
            }
        };
        Self {
            phase,
            heartbeat: Heartbeat::new(settings, now),
            queue: Queue::default(),
            outputs,
        }
    }

    pub fn handle_timeout(&mut self, settings: &Settings, now: Instant) {
        self.flush();
        match &mut self.phase {
            Phase::Closed(_) => return,
            Phase::Closing { reason, until } => {
                let (reason, until) = (*reason, *until);
                if now >= until.into() {
                    self.finish(reason, &Packet::CLOSE);
                }
                return;
            }
            Phase::Polling(_) => self.handle_polling_timeout(now),
            Phase::WebSocket => {}
        }
        match self.heartbeat.handle_timeout(settings, now) {
            Some(Beat::Ping) => self.send_packet(settings, &Packet::PING),
            Some(Beat::Dead) => self.finish(CloseReason::PingTimeout, &Packet::CLOSE),
            None => {}
        }
    }

    /// Sends a message packet, in order, by whatever transport there is. Nothing once closed.
    pub fn send(&mut self, settings: &Settings, packet: &Packet, _now: Instant) {
        self.send_packet(settings, packet);
    }

    /// Closes from the server's side: a close packet for a poll, a close frame for a WebSocket.
    ///
    /// Where no GET is pending, [`Output::Closed`] follows only when the next one took the close packet, or
    /// after 30 s; [`Connection::is_closed`] is true at once.
    pub fn close(&mut self, _settings: &Settings, reason: CloseReason, now: Instant) {
        match &mut self.phase {
            // What overflowed is not kept for 30 s more.
            Phase::Polling(polling) if !polling.has_get() && reason != CloseReason::Overflow => {
                if polling.take_upgrade() {
                    self.outputs.push(Output::CloseWebSocket(None));
                }
                self.phase = Phase::Closing {
                    reason,
                    until: (now + CLOSE_TIMEOUT).into(),
                };
            }
            Phase::Polling(_) | Phase::WebSocket => self.finish(reason, &Packet::CLOSE),
            Phase::Closing { .. } | Phase::Closed(_) => {}
        }
    }

    /// Whether a packet sent now would go out at once (for volatile emits).
    pub fn is_writable(&self) -> bool {
        match &self.phase {
            Phase::Polling(polling) => polling.has_get(),
            Phase::WebSocket => true,
            Phase::Closing { .. } | Phase::Closed(_) => false,
        }
    }

    /// The transport that carries packets; the last one, if closed.
    pub fn transport(&self) -> Transport {
        match &self.phase {
            Phase::Polling(_) | Phase::Closing { .. } => Transport::Polling,
            Phase::WebSocket => Transport::WebSocket,
            Phase::Closed(via) => *via,
        }
    }

    /// Bytes that wait for a poll.
    pub fn queued_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// Whether sending is pointless: closed, or only waiting to tell the client so.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. } | Phase::Closed(_))
    }

    /// Whether a ping was sent that the client has not answered yet. Its pong proves that it has received what was
    /// sent before the ping.
    pub fn awaits_pong(&self) -> bool {
        self.heartbeat.is_asked()
    }

    /// When to call `handle_timeout` next, at the latest.
    pub fn timeout(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Polling(polling) => {
                let beat = self.heartbeat.timeout();
                Some(polling.timeout().map_or(beat, |other| other.min(beat)))
            }
            Phase::WebSocket => Some(self.heartbeat.timeout()),
            Phase::Closing { until, .. } => Some(*until),
            Phase::Closed(_) => None,
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.flush();
        }
        self.outputs.pop()
    }

    /// A packet on the live transport.
    fn handle_packet(&mut self, settings: &Settings, packet: Result<ClientPacket, Malformed>, now: Instant) {
        match packet {
            Ok(ClientPacket::Message(message)) => self.outputs.push(Output::Message(message)),
            Ok(ClientPacket::Pong) => self.heartbeat.handle_pong(settings, now),
            Ok(ClientPacket::Close) => self.handle_close(now),
            // Heartbeats go the other way in v4; a v3 client, say, must not be left to believe they work.
            Ok(ClientPacket::Ping(_)) | Err(Malformed) => {
                self.finish(CloseReason::ParseError, &Packet::CLOSE);
            }
            // Out of place, and ignored by the reference server.
            Ok(ClientPacket::Open | ClientPacket::Upgrade | ClientPacket::Noop) => {}
        }
    }

    /// The client leaves. Its GET may still be on its way on another connection, overtaken by the close: it is answered
    /// with a noop as if it had come first.
    fn handle_close(&mut self, now: Instant) {
        match &self.phase {
            Phase::Polling(polling) if !polling.has_get() && polling.upgrade.is_none() => {
                self.queue = Queue::default();
                self.phase = Phase::Closing {
                    reason: CloseReason::ClientClose,
                    until: (now + OVERTAKEN_MAX).into(),
                };
            }
            _ => self.finish(CloseReason::ClientClose, &Packet::NOOP),
        }
    }

    fn send_packet(&mut self, settings: &Settings, packet: &Packet) {
        match &self.phase {
            Phase::WebSocket => self.outputs.push(frame(packet.clone())),
            Phase::Polling(_) => {
                self.queue.push(packet.clone());
                if self.queue.bytes() > settings.queue_bytes_max {
                    self.flush();
                    if !self.queue.is_empty() {
                        self.finish(CloseReason::Overflow, &Packet::CLOSE);
                    }
                }
            }
            Phase::Closing { .. } | Phase::Closed(_) => {}
        }
    }

    /// Ends the session now. A pending GET is answered with `farewell`, behind what waits for it.
    fn finish(&mut self, reason: CloseReason, farewell: &Packet) {
        match &mut self.phase {
            Phase::Polling(polling) => {
                if polling.take_upgrade() {
                    self.outputs.push(Output::CloseWebSocket(None));
                }
                if polling.take_get() {
                    self.queue.push(farewell.clone());
                    self.outputs.push(Output::Poll(self.queue.take_payload()));
                }
            }
            Phase::WebSocket => self.outputs.push(Output::CloseWebSocket(None)),
            Phase::Closing { .. } => {}
            Phase::Closed(_) => return,
        }
        self.end(reason);
    }

    /// The session is over, and nobody is left to be told but the layer above.
    fn end(&mut self, reason: CloseReason) {
        self.queue = Queue::default();
        self.phase = Phase::Closed(self.transport());
        self.outputs.push(Output::Closed(reason));
    }
}

fn frame(packet: Packet) -> Output {
    match packet {
        Packet::Text(text) => Output::Text(text),
        Packet::Binary(bytes) => Output::Binary(bytes),
    }
}

/// How long a close packet waits for a poll, as in the reference server.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a GET may have been overtaken by its client's close.
const OVERTAKEN_MAX: Duration = Duration::from_secs(1);
