use std::{
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use engineio::{CloseReason, Message};

use crate::{
    Hub, Outgoing, Sink,
    outbox::Outbox,
    session::{Dialect, Link},
    state::SessionKey,
};

/// A WebSocket's side of its session. Dropping it tells the session that the connection is gone.
pub struct WsPort {
    hub: Hub,
    key: SessionKey,
    /// Which of the session's WebSockets this is: an older one has nothing to say any more.
    websocket: u32,
    outbox: Outbox,
    /// The client sent a close frame.
    clean: bool,
    /// As far as is known more may be read: asked anew only when what was read last left doubts.
    clear: bool,
}

impl WsPort {
    pub(crate) fn new(hub: Hub, key: SessionKey, websocket: u32, outbox: Outbox) -> Self {
        Self {
            hub,
            key,
            websocket,
            outbox,
            clean: false,
            clear: false,
        }
    }

    /// Frames are written by `sink` from now on, unless [`WsPort::attend`] says that the task is at it.
    pub fn set_sink(&self, sink: Rc<dyn Sink>) {
        self.outbox.set_sink(sink);
    }

    /// The WebSocket's task begins a turn, which ends with [`WsPort::poll_outgoing`] being `Pending` or with [`WsPort::leave`]:
    /// until then it is not woken for frames, and nobody else writes them.
    pub fn attend(&self) {
        self.outbox.attend();
    }

    /// Ends the turn that [`WsPort::attend`] began without a look at what is to be written: the sink is given it with that of
    /// all others whose turn this was. False if it is the task's after all: the close is.
    pub fn leave(&self, cx: &mut Context<'_>) -> bool {
        self.outbox.leave(cx)
    }

    /// A text frame arrived. UTF-8 has been checked.
    pub fn receive_text(&mut self, text: Bytes) {
        self.receive(Message::Text(text));
    }

    pub fn receive_binary(&mut self, bytes: Bytes) {
        self.receive(Message::Binary(bytes));
    }

    /// A WebSocket-level ping or pong arrived: a plain WebSocket's sign of life.
    pub fn receive_pong(&mut self) {
        let cores = self.hub.shards().count();
        self.hub.with(|state, now| {
            state.charge(self.key, 1, 0, cores, now);
            let Some(session) = state.sessions.get_mut(self.key) else {
                return;
            };
            if let Link::Plain(plain) = &mut session.link {
                plain.handle_life(session.app.settings.engine.ping_interval, now);
            }
        });
    }

    /// A close frame arrived.
    pub fn receive_close(&mut self) {
        self.clean = true;
    }

    fn receive(&mut self, message: Message) {
        let cores = self.hub.shards().count();
        self.clear = self.hub.with(|state, now| {
            let Some(session) = state.sessions.get_mut(self.key) else {
                return false;
            };
            if session.websockets != self.websocket {
                return false;
            }
            // An attachment belongs to the event before it.
            let is_event =
                matches!(message, Message::Text(_)) || matches!(session.dialect, Dialect::Messages);
            state.charge(self.key, u64::from(is_event), message_bytes(&message), cores, now);
            let Some(session) = state.sessions.get_mut(self.key) else {
                return false;
            };
            let settings = &session.app.settings.engine;
            match &mut session.link {
                Link::Engine(engine) => {
                    match message {
                        Message::Text(text) => engine.handle_text(settings, text, now),
                        Message::Binary(bytes) => engine.handle_binary(settings, bytes, now),
                    }
                    state.settle(self.key, now);
                }
                Link::Plain(plain) => {
                    plain.handle_life(settings.ping_interval, now);
                    state.receive(self.key, message, now);
                }
                Link::Ended => {}
            }
            state.is_clear(self.key, now)
        });
    }

    /// Whether more may be read now; `Pending` while the session's handlers are behind (back-pressure).
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.clear) {
            return Poll::Ready(());
        }
        self.hub.poll_caught_up(self.key, cx)
    }

    /// The next frame to write. What was taken counts as written: take only what the socket can.
    pub fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<Outgoing> {
        self.outbox.poll_pop(cx)
    }
}

fn message_bytes(message: &Message) -> usize {
    match message {
        Message::Text(bytes) | Message::Binary(bytes) => bytes.len(),
    }
}

impl Drop for WsPort {
    fn drop(&mut self) {
        self.outbox.detach();
        self.hub.with(|state, now| {
            let Some(session) = state.sessions.get_mut(self.key) else {
                return;
            };
            if session.websockets != self.websocket {
                return;
            }
            session.outbox = None;
            if let Link::Engine(engine) = &mut session.link {
                engine.handle_websocket_gone(&session.app.settings.engine, self.clean, now);
                state.settle(self.key, now);
            } else {
                let reason = if self.clean {
                    CloseReason::ClientClose
                } else {
                    CloseReason::TransportError
                };
                state.end_session(self.key, reason, now);
            }
        });
    }
}
