//! Where an app asks who its clients are: what they show, and what somebody else ([`Verifier`]) finds it to prove.
use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use router::Handshake;
use serde_json::{Value, json};

use crate::token::cookie;

/// Checks tokens. One an app and process; called from any core.
pub trait Verifier: fmt::Debug + Send + Sync + 'static {
    /// May take its time: only the client that showed it waits.
    fn verify(&self, credential: Credential) -> BoxFuture<'static, Result<Verified, Rejection>>;
}

/// An app's wish to know its clients.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    pub verifier: Arc<dyn Verifier>,
    /// Where clients carry their token; the first that has one counts.
    pub places: Vec<CredentialPlace>,
    /// Whether clients without one are refused.
    pub required: bool,
    /// How long a client whose token has expired stays.
    pub expiry_grace: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialPlace {
    /// A field of the `auth` payload.
    Auth(Arc<str>),
    /// Of the connection's first request.
    Query(Arc<str>),
    Cookie(Arc<str>),
    /// `Authorization: Bearer`.
    Header,
}

/// What a client shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// `None`: nothing, where something is needed.
    pub token: Option<String>,
    /// Without port.
    pub remote_address: String,
}

/// What a token proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// A JSON object's text, for the handler.
    pub claims: String,
    /// The same text for all tokens about the same party; opaque here.
    pub subject: Arc<str>,
    /// As the token has it, in seconds since 1970.
    pub expires_at_s: u64,
    /// From now on.
    pub expires_in: Duration,
}

/// What a client is told whose token is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub code: RejectionCode,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionCode {
    Unauthorised,
    TokenExpired,
    /// Nobody can tell now: worth trying again.
    Unavailable,
}

impl CredentialPlace {
    fn find(&self, auth: &Value, handshake: &Handshake) -> Option<String> {
        let found = match self {
            Self::Auth(field) => auth.get(&**field)?.as_str()?,
            Self::Cookie(name) => cookie(handshake, name)?,
            Self::Query(name) => {
                let mut pairs = handshake.query.iter();
                pairs.find(|(key, _)| **key == **name).map(|(_, value)| value)?
            }
            Self::Header => {
                let mut headers = handshake.headers.iter();
                let (_, value) = headers.find(|(name, _)| name == "authorization")?;
                let (scheme, token) = value.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())?
            }
        };
        (!found.is_empty()).then(|| found.to_owned())
    }
}

impl AuthSettings {
    pub(crate) fn find(&self, auth: Option<&str>, handshake: &Handshake) -> Option<String> {
        let auth: Value = auth
            .and_then(|auth| serde_json::from_str(auth).ok())
            .unwrap_or_default();
        self.places.iter().find_map(|place| place.find(&auth, handshake))
    }
}

impl Rejection {
    pub(crate) fn unauthorised(message: &str) -> Self {
        Self {
            code: RejectionCode::Unauthorised,
            message: message.to_owned(),
        }
    }

    pub(crate) fn expired() -> Self {
        Self {
            code: RejectionCode::TokenExpired,
            message: "the token has expired".to_owned(),
        }
    }

    /// In the form that acks of failed calls have.
    pub(crate) fn answer(&self) -> Value {
        json!({ "error": { "code": self.code.name(), "message": self.message } })
    }
}

impl RejectionCode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unauthorised => "unauthorised",
            Self::TokenExpired => "token_expired",
            Self::Unavailable => "unavailable",
        }
    }

    /// For clients that know nothing but WebSockets: "policy violation", or "try again later" (RFC 6455 registry).
    pub(crate) fn close_code(self) -> u16 {
        match self {
            Self::Unauthorised | Self::TokenExpired => 1008,
            Self::Unavailable => 1013,
        }
    }
}

/// Without the token: it must not reach a log.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("token", &self.token.as_ref().map(String::len))
            .field("remote_address", &self.remote_address)
            .finish()
    }
}

#[cfg(test)]
mod tests;
