use std::{rc::Rc, sync::Arc};

use bytes::Bytes;
use router::Handshake;

use crate::AppEntry;

/// A connection's wish for a new session.
pub struct OpenRequest {
    pub app: Rc<AppEntry>,
    pub protocol: Protocol,
    /// `auth` and `claims` still empty.
    pub handshake: Handshake,
}

/// What is spoken on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Engine.IO carrying Socket.IO.
    SocketIo,
    /// Engine.IO whose messages are events named "message" (manifest `[raw] engineio`); namespace `raw:engineio`.
    EngineIo,
    /// A plain WebSocket whose messages are events named "message" (manifest `[raw] websocket`); namespace
    /// `raw:websocket`. No polling.
    WebSocket,
}

impl Protocol {
    /// The namespace of sockets that cannot name one.
    pub(crate) fn raw_namespace(self) -> Option<&'static str> {
        match self {
            Self::SocketIo => None,
            Self::EngineIo => Some("raw:engineio"),
            Self::WebSocket => Some("raw:websocket"),
        }
    }
}

/// A session that was opened by polling: the body to answer the handshake with.
#[derive(Debug)]
pub struct Opened {
    pub sid: Arc<str>,
    pub body: PollBody,
}

/// Body of a 200 answer to a GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollBody(pub Bytes);
