//! What transports see of sessions.
use std::{rc::Rc, sync::Arc, task::{Context, Poll}};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use router::Handshake;

use crate::AppEntry;

/// The sessions of one core. Cheap to clone; stays on its thread.
#[derive(Clone)]
pub struct Hub(Rc<()>);

/// All cores of this node, for reaching a session's home from any thread.
#[derive(Clone)]
pub struct Shards(Arc<()>);

/// A connection's wish for a new session.
pub struct OpenRequest {
    pub app: Rc<AppEntry>,
    pub protocol: Protocol,
    /// `auth` and `claims` still empty or as the transport verified them.
    pub handshake: Handshake,
}

/// What is spoken on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Engine.IO carrying Socket.IO.
    SocketIo,
    /// Engine.IO whose messages are events named "message" (manifest `[raw] engineio`).
    EngineIo,
    /// A plain WebSocket whose messages are events named "message" (manifest `[raw] websocket`). No polling.
    WebSocket,
}

/// A session that was opened by polling: the body to answer with.
pub struct Opened {
    pub sid: Arc<str>,
    pub body: PollBody,
}

/// Body of a 200 answer to a GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollBody(pub Bytes);

/// Why a request was refused. [`engineio::Refusal`] has the status and body on the wire.
pub use engineio::Refusal;

/// What a transport must do for its WebSocket now.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A text frame, valid UTF-8.
    Text(Bytes),
    /// A binary frame.
    Binary(Bytes),
    /// A WebSocket-level ping (plain WebSockets only).
    Ping,
    /// Send a close frame with this code (`None`: without one, read as 1005) and end. Nothing follows.
    Close(Option<u16>),
}

impl Hub {
    /// Opens a session by a polling handshake.
    pub fn open_polling(&self, _request: OpenRequest) -> Result<Opened, Refusal> {
        unimplemented!()
    }

    /// Opens a session by a WebSocket; call once the 101 is sent, on the thread where the socket will be driven.
    pub fn open_websocket(&self, _request: OpenRequest) -> Result<WsPort, Refusal> {
        unimplemented!()
    }

    /// Whether `open_*` would be refused now (limits, draining): ask before answering 101.
    pub fn admits(&self, _app: &AppEntry) -> Result<(), Refusal> {
        unimplemented!()
    }

    /// Answers a GET with packets, when there are some. Any core; dropping the future tells the session that
    /// the request was aborted.
    pub fn poll(&self, _app: &str, _sid: &str) -> LocalBoxFuture<'static, Result<PollBody, Refusal>> {
        unimplemented!()
    }

    /// Takes a POST's body. Answers when the body has been taken in (which is when it may be called again).
    pub fn post(&self, _app: &str, _sid: &str, _body: Bytes) -> LocalBoxFuture<'static, Result<(), Refusal>> {
        unimplemented!()
    }

    /// Closes a polling session because of a request that breaks the protocol in a way only HTTP sees
    /// (an octet-stream POST, a duplicate GET is found by the session itself).
    pub fn abandon(&self, _app: &str, _sid: &str) {
        unimplemented!()
    }

    /// Whether a request by method/transport is one for a living session of `app`: asked before 101 and for odd methods.
    pub fn check(&self, _app: &str, _sid: &str) -> LocalBoxFuture<'static, Result<(), Refusal>> {
        unimplemented!()
    }

    /// Attaches an upgrading WebSocket; on the session's home thread (see [`Shards::run_at_home`]).
    pub fn attach_websocket(&self, _app: &str, _sid: &str) -> Result<WsPort, Refusal> {
        unimplemented!()
    }

    pub fn shards(&self) -> &Shards {
        unimplemented!()
    }
}

impl Shards {
    /// Runs `work` on the thread of `sid`'s home; on this one if `sid` names none.
    pub fn run_at_home(&self, _sid: &str, _work: Box<dyn FnOnce(Hub) -> LocalBoxFuture<'static, ()> + Send>) {
        unimplemented!()
    }
}

/// A WebSocket's side of its session. Dropping it tells the session that the connection is gone.
pub struct WsPort(());

impl WsPort {
    /// A text frame arrived. UTF-8 has been checked.
    pub fn receive_text(&mut self, _text: Bytes) {
        unimplemented!()
    }

    pub fn receive_binary(&mut self, _bytes: Bytes) {
        unimplemented!()
    }

    /// A WebSocket-level pong arrived (plain WebSockets' sign of life).
    pub fn receive_pong(&mut self) {
        unimplemented!()
    }

    /// Whether more may be read now; `Pending` while the session's handler is behind (back-pressure).
    pub fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        unimplemented!()
    }

    /// The next frame to write. What was taken counts as written; take only what the socket can.
    pub fn poll_outgoing(&mut self, _cx: &mut Context<'_>) -> Poll<Outgoing> {
        unimplemented!()
    }
}
