use std::{
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use compact::{Few, Moment};
use engineio::{CloseReason, Output, Packet, Transport};
use router::Trace;
use tokio::sync::oneshot;

use crate::{
    AppEntry, Outgoing,
    kept::KeptHandshake,
    outbox::Outbox,
    plain::{PlainLink, Tick},
    rates::Intake,
    state::SocketKey,
    wakers::Wakers,
};

/// One connection: its protocol cores and the ends of its transports.
pub(crate) struct Session {
    pub(crate) sid: Arc<str>,
    pub(crate) app: Rc<AppEntry>,
    pub(crate) handshake: KeptHandshake,
    /// Of the handshake's `traceparent`: all calls of the session are part of it. Boxed, since few have one.
    pub(crate) trace: Option<Box<Trace>>,
    pub(crate) link: Link,
    pub(crate) dialect: Dialect,
    pub(crate) sockets: Few<SocketKey>,
    /// The GET that waits for packets.
    pub(crate) poll: Option<oneshot::Sender<Bytes>>,
    /// Tells an aborted GET from its successor.
    pub(crate) polls: u32,
    /// The attached WebSocket: the main one, or one that probes.
    pub(crate) outbox: Option<Outbox>,
    /// Tells frames of the attached WebSocket from those of one before it.
    pub(crate) websockets: u32,
    /// When a WebSocket for it was last about to be accepted.
    pub(crate) announced: Option<Moment>,
    /// Whether a ping was seen to be sent that is not answered yet.
    pub(crate) awaits_pong: bool,
    /// Bytes sent to a polling client since its last answered poll.
    pub(crate) unpolled_bytes: usize,
    /// The timer that is armed.
    pub(crate) due: Option<Moment>,
    /// Transports that wait for a handler to catch up, and replays that wait for the client to poll.
    pub(crate) waiting: Wakers,
    /// What its client has sent lately, and until when it is not read for that.
    pub(crate) intake: Intake,
    pub(crate) held: Option<Moment>,
}

/// What carries messages.
pub(crate) enum Link {
    Engine(engineio::Connection),
    Plain(PlainLink),
    /// A plain WebSocket that ended.
    Ended,
}

/// What messages mean.
pub(crate) enum Dialect {
    SocketIo(socketio::Connection),
    /// Each message is an event of the session's one socket.
    Messages,
}

impl Session {
    /// Sends packets in order, by whatever transport there is. Drain with `State::flush`.
    pub(crate) fn send(&mut self, packets: &[Packet], now: Instant) {
        match &mut self.link {
            Link::Engine(engine) => {
                if engine.transport() == Transport::Polling {
                    self.unpolled_bytes += packets.iter().map(size).sum::<usize>();
                }
                for packet in packets {
                    engine.send(&self.app.settings.engine, packet, now);
                }
            }
            Link::Plain(_) => {
                for packet in packets {
                    self.push(match packet {
                        // Without Engine.IO there is no packet type to say.
                        Packet::Text(text) => Outgoing::Text(text.slice(1.min(text.len())..)),
                        Packet::Binary(bytes) => Outgoing::Binary(bytes.clone()),
                    });
                }
            }
            Link::Ended => {}
        }
    }

    /// Whether what is sent waits for the client's next poll.
    pub(crate) fn is_polling(&self) -> bool {
        matches!(&self.link, Link::Engine(engine) if engine.transport() == Transport::Polling)
    }

    /// Whether a volatile packet would go out now.
    pub(crate) fn is_writable(&self) -> bool {
        let idle = self
            .outbox
            .as_ref()
            .is_some_and(|outbox| outbox.bytes() <= VOLATILE_BYTES_MAX);
        match &self.link {
            Link::Engine(engine) if engine.transport() == Transport::Polling => engine.is_writable(),
            Link::Engine(engine) => engine.is_writable() && idle,
            Link::Plain(_) => idle,
            Link::Ended => false,
        }
    }

    /// Whether more than the app allows waits for the client on a WebSocket. (The polling queue is the core's.)
    pub(crate) fn overflows(&self) -> bool {
        self.outbox
            .as_ref()
            .is_some_and(|outbox| outbox.bytes() > self.app.settings.queue_bytes_max)
    }

    /// Whether the client has taken most of what was sent to it.
    pub(crate) fn has_room(&self) -> bool {
        let queued = self.unpolled_bytes + self.outbox.as_ref().map_or(0, Outbox::bytes);
        queued <= self.app.settings.queue_bytes_max / 4
    }

    /// Waits for that.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_room() {
            return Poll::Ready(());
        }
        match &self.outbox {
            Some(outbox) => outbox.wake_when_empty(cx.waker()),
            None => _ = self.waiting.add(cx.waker()),
        }
        Poll::Pending
    }

    pub(crate) fn wake(&mut self) {
        self.waiting.wake();
    }

    /// Closes from our side. Drain with `State::flush`.
    pub(crate) fn close(&mut self, reason: CloseReason, now: Instant) {
        if reason == CloseReason::Overflow
            && let Some(outbox) = self.outbox.take()
        {
            // 1013, "try again later" (RFC 6455 registry): stock clients reconnect, and recover.
            outbox.abort(1013);
        }
        match &mut self.link {
            Link::Engine(engine) => engine.close(&self.app.settings.engine, reason, now),
            Link::Plain(_) | Link::Ended => self.end_plain(Some(1001)),
        }
    }

    /// Says this code to a raw client, whose connection is about to be closed: it knows no other way. What waited for it
    /// is not sent.
    pub(crate) fn close_raw_with(&mut self, code: u16) {
        if matches!(self.dialect, Dialect::Messages)
            && let Some(outbox) = self.outbox.take()
        {
            outbox.abort(code);
        }
    }

    /// Ends a plain WebSocket.
    pub(crate) fn end_plain(&mut self, code: Option<u16>) {
        self.link = Link::Ended;
        self.push(Outgoing::Close(code));
    }

    /// Of the link; the dialect's is the caller's.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<CloseReason> {
        let settings = &self.app.settings;
        match &mut self.link {
            Link::Engine(engine) => engine.handle_timeout(&settings.engine, now),
            Link::Plain(plain) => match plain.handle_timeout(settings.engine.ping_timeout, now) {
                Tick::Ping => self.push(Outgoing::Ping),
                Tick::Dead => return Some(CloseReason::PingTimeout),
                Tick::Nothing => {}
            },
            Link::Ended => {}
        }
        None
    }

    /// When `handle_timeout` must be called next.
    pub(crate) fn timeout(&self) -> Option<Moment> {
        let link = match &self.link {
            Link::Engine(engine) => engine.timeout(),
            Link::Plain(plain) => Some(plain.timeout()),
            Link::Ended => None,
        };
        let dialect = match &self.dialect {
            Dialect::SocketIo(socketio) => socketio.timeout(),
            Dialect::Messages => None,
        };
        [link, dialect].into_iter().flatten().min()
    }

    /// Hands the core's frames to the transports; answers what concerns the layer above.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        let Link::Engine(engine) = &mut self.link else {
            return None;
        };
        loop {
            match engine.poll_output()? {
                Output::Poll(body) => {
                    self.unpolled_bytes = engine.queued_bytes();
                    self.waiting.wake();
                    if let Some(poll) = self.poll.take() {
                        // A GET that was aborted meanwhile says so itself.
                        _ = poll.send(body);
                    }
                }
                Output::Text(text) => push(&mut self.outbox, Outgoing::Text(text)),
                Output::Binary(bytes) => push(&mut self.outbox, Outgoing::Binary(bytes)),
                Output::CloseWebSocket(code) => {
                    push(&mut self.outbox, Outgoing::Close(code));
                    self.outbox = None;
                }
                output @ (Output::Message(_) | Output::Closed(_)) => return Some(output),
            }
        }
    }

    fn push(&mut self, frame: Outgoing) {
        push(&mut self.outbox, frame);
    }
}

/// A WebSocket with more than this waiting is not writable for volatile packets.
const VOLATILE_BYTES_MAX: usize = 16 * 1024;

fn push(outbox: &mut Option<Outbox>, frame: Outgoing) {
    if let Some(outbox) = outbox {
        outbox.push(frame);
    }
}

pub(crate) fn size(packet: &Packet) -> usize {
    match packet {
        Packet::Text(bytes) | Packet::Binary(bytes) => bytes.len(),
    }
}

#[cfg(test)]
mod tests;
