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

impl Refusal {
    /// HTTP status of a plain request. A refused WebSocket upgrade is 400 whatever the reason, save 503.
    pub fn status(self) -> u16 {
        match self {
            Self::TransportUnknown
            | Self::SessionUnknown
            | Self::BadHandshakeMethod
            | Self::BadRequest
            | Self::UnsupportedVersion
            | Self::Broken => 400,
            Self::Forbidden => 403,
            Self::TooLarge => 413,
            Self::Unavailable => 503,
        }
    }

    /// The protocol's number of the error, where it has one.
    pub fn code(self) -> Option<u8> {
        match self {
            Self::TransportUnknown => Some(0),
            Self::SessionUnknown => Some(1),
            Self::BadHandshakeMethod => Some(2),
            Self::BadRequest => Some(3),
            Self::Forbidden => Some(4),
            Self::UnsupportedVersion => Some(5),
            Self::Broken | Self::TooLarge | Self::Unavailable => None,
        }
    }

    /// Body of a plain request's answer: `application/json`, or empty where the reference server sends none.
    pub fn body(self) -> String {
        let message = self.message();
        match (self, self.code()) {
            (_, Some(code)) => format!(r#"{{"code":{code},"message":"{message}"}}"#),
            (Self::Unavailable, None) => format!(r#"{{"message":"{message}"}}"#),
            (_, None) => String::new(),
        }
    }

    /// Body of a refused WebSocket upgrade: `text/html`, these words and nothing else.
    pub fn message(self) -> &'static str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::SessionUnknown => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest | Self::Broken => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedVersion => "Unsupported protocol version",
            Self::TooLarge => "Payload too large",
            Self::Unavailable => "Service unavailable",
        }
    }
}
