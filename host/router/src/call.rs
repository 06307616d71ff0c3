use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use socketio::EventData;

use crate::{Room, Trace};

/// One call of an app's handler, with what it may read of the socket it is for.
#[derive(Clone, Debug)]
pub struct Call {
    /// The socket the call is for. `None` for timers and pushes.
    pub socket: Option<SocketView>,
    pub kind: CallKind,
    /// What caused it, where that is traced: of a client, its handshake's `traceparent`.
    pub trace: Option<Trace>,
}

/// What a handler is called for.
#[derive(Clone, Debug)]
pub enum CallKind {
    /// A client wants to join a namespace.
    Connect(Handshake),
    /// A client emitted an event; `ack` names the answer if it waits for one.
    Event { data: EventData, ack: Option<AckToken> },
    /// A client left for good.
    Disconnect(DisconnectReason),
    /// The answer to an [`Effect::EmitWithAck`] of an earlier call.
    Ack { token: Arc<str>, outcome: AckOutcome },
    /// A timer that an earlier call set.
    Timer {
        name: String,
        /// Of this setting of it.
        id: String,
        payload: Bytes,
    },
    /// A backend talks to the app.
    Push { topic: String, payload: Bytes },
    /// Another version of the app has written the socket's state. The effects end with [`Effect::SetState`]; there are
    /// none if the state is empty or the code leaves states as they are.
    Migrate { state: Bytes, from_version: u32 },
}

/// A socket as a handler sees it: taken when the call begins.
#[derive(Clone, Debug)]
pub struct SocketView {
    /// The public Socket.IO id.
    pub id: Arc<str>,
    pub namespace: Arc<str>,
    /// The socket's rooms, the one named by its id included.
    pub rooms: Vec<Room>,
    /// At most 16 KiB.
    pub state: Bytes,
    /// The version of the app that wrote it, as [`Effect::StateVersion`] said; 0 if none did.
    pub state_version: u32,
}

/// Names and values, shared by whoever looks at them: they are told to a handler as they were read.
pub type Pairs = Arc<[(String, String)]>;

/// What is known of a client when it joins a namespace.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Handshake {
    /// The `auth` payload, a JSON object's text.
    pub auth: Option<String>,
    /// Query of the connection's first request, in order, percent-decoded.
    pub query: Pairs,
    /// Headers of the connection's first request, names in lower case. Left out are values that are not UTF-8, and what
    /// concerns the connection alone.
    pub headers: Pairs,
    /// The client's address without port.
    pub remote_address: String,
    /// Verified claims, a JSON object's text.
    pub claims: Option<String>,
}

/// Names an ack that a client waits for: unique within its socket's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AckToken(pub u64);

/// What became of an emit that asked for an answer.
#[derive(Clone, Debug)]
pub enum AckOutcome {
    /// The client's arguments.
    Answered(EventData),
    /// No answer in time, or the client left.
    TimedOut,
    /// Of an [`Effect::EmitWithAcks`]: once, when all have answered or time is up.
    Collected(Collected),
}

/// What became of an emit to many.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// By socket id.
    pub answers: Vec<(Arc<str>, EventData)>,
    /// Sockets that were asked and did not answer in time.
    pub missing: Vec<Arc<str>>,
    /// Names of nodes that did not say in time what their sockets answered.
    pub partial: Vec<String>,
}

/// Why a socket is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DisconnectReason {
    Client,
    Server,
    PingTimeout,
    TransportError,
    RecoveryExpired,
    Replaced,
}

/// What a handler asks for. Effects of one call happen in order, after it returned `ok`.
#[derive(Clone, Debug)]
pub enum Effect {
    /// To every socket of the target. A `volatile` one may be dropped and is not in the log.
    Emit {
        target: Target,
        data: EventData,
        volatile: bool,
    },
    /// To one socket, whose answer (or its absence after `timeout_ms`) becomes a [`CallKind::Ack`].
    EmitWithAck {
        socket: Arc<str>,
        data: EventData,
        token: Arc<str>,
        timeout_ms: u32,
    },
    /// To every connected socket of the target; their answers, or what there is of them after `timeout_ms`, become one
    /// [`CallKind::Ack`] of the call's own socket.
    EmitWithAcks {
        target: Target,
        data: EventData,
        token: Arc<str>,
        timeout_ms: u32,
    },
    /// The answer to the event of this call, or to an earlier one of the same socket.
    Ack {
        token: AckToken,
        data: EventData,
    },
    Join {
        target: Target,
        rooms: Vec<Room>,
    },
    Leave {
        target: Target,
        rooms: Vec<Room>,
    },
    /// Replaces the state of the call's own socket.
    SetState(Bytes),
    /// Which version of the app the state of the call's own socket is of: for the server to say, after `SetState`.
    StateVersion(u32),
    /// Leaves the namespace (a DISCONNECT packet), or closes the whole connection.
    Disconnect {
        target: Target,
        close: bool,
    },
}

/// Sockets of a namespace that are in any of `rooms` (all, if empty) and in none of `except`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub namespace: Arc<str>,
    pub rooms: Vec<Room>,
    pub except: Vec<Room>,
}

/// A handler's `Err` from `handle-connect`: becomes CONNECT_ERROR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub message: String,
    /// JSON text.
    pub data: Option<String>,
}

/// Why a call had no effect.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// `handle-connect` said no. The client is told.
    #[error("refused: {}", .0.message)]
    Refused(Refusal),
    /// The handler returned an error. The app is at fault.
    #[error("handler returned an error: {0}")]
    Returned(String),
    /// The handler trapped; the text has the guest's backtrace. The app is at fault.
    #[error("handler trapped: {0}")]
    Trapped(String),
    /// The handler hit a limit, which the text names. The app is at fault.
    #[error("handler hit a limit: {0}")]
    Limit(String),
    /// The handler could not be run, or its writes not be stored. We are at fault, or short of something.
    #[error("handler unavailable: {0}")]
    Unavailable(String),
}
