use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result};

/// What a client sent when it joined a namespace, with what the host knows of its connection.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Handshake {
    /// The namespace joined, "/" for the default one.
    pub namespace: String,
    /// The client's `auth` payload: the text of a JSON object, if it sent one.
    pub auth: Option<String>,
    /// The query of the connection's first request, in order.
    pub query: Vec<(String, String)>,
    /// The headers of the connection's first request, names in lower case, in order; without those that concern the
    /// connection alone: `Connection`, `Upgrade`, and `Sec-WebSocket-` `Key`, `Version`, `Extensions`.
    pub headers: Vec<(String, String)>,
    /// The client's address without port.
    pub remote_address: String,
    /// Claims of a token that the host has verified: the text of a JSON object.
    pub claims: Option<String>,
}

impl Handshake {
    /// The client's `auth` payload, `{}` if it sent none.
    ///
    /// ```
    /// # use wakeline_sdk::prelude::*;
    /// #[derive(Deserialize)]
    /// struct Auth { token: Option<String> }
    ///
    /// fn connect(handshake: &Handshake) -> Result<(), Refusal> {
    ///     match handshake.auth::<Auth>()?.token.as_deref() {
    ///         Some("sesame") => Ok(()),
    ///         _ => Err(Refusal::unauthorised("say the word")),
    ///     }
    /// }
    /// # assert!(connect(&Handshake::default()).is_err());
    /// ```
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_str(self.auth.as_deref().unwrap_or("{}"))?)
    }

    /// Verified claims of the client's token; `None` while the app's manifest has no `[auth]`, or if it does not require a
    /// token and the client showed none. The host has checked signature, issuer, audience and times; what they allow is
    /// for the app to say.
    ///
    /// ```
    /// # use wakeline_sdk::prelude::*;
    /// #[derive(Deserialize)]
    /// struct Claims { sub: String, #[serde(default)] roles: Vec<String> }
    ///
    /// fn connect(socket: &Socket, handshake: &Handshake) -> Result<(), Refusal> {
    ///     let Some(claims) = handshake.claims::<Claims>()? else {
    ///         return Err(Refusal::unauthorised("guests are not let in"));
    ///     };
    ///     if !claims.roles.iter().any(|role| role == "admin") {
    ///         return Err(Refusal::unauthorised("admins only"));
    ///     }
    ///     socket.join(format!("user:{}", claims.sub))?;
    ///     Ok(())
    /// }
    /// ```
    pub fn claims<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        Ok(self.claims.as_deref().map(serde_json::from_str).transpose()?)
    }

    /// The first value of `key` in the query.
    pub fn query(&self, key: &str) -> Option<&str> {
        find(&self.query, key)
    }

    /// The first value of the header `name`, which must be in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The cookie `name`.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers.iter().filter(|(key, _)| key == "cookie");
        cookies
            .flat_map(|(_, value)| value.split(';'))
            .find_map(|cookie| {
                let (key, value) = cookie.trim().split_once('=')?;
                (key == name).then_some(value)
            })
    }
}

fn find<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(name, _)| name == key)
        .map(|(_, value)| value.as_str())
}

/// Why a client may not join: its `connect_error` event gets the message, and the data if there is any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(crate) message: String,
    /// JSON text.
    pub(crate) data: Option<String>,
    pub(crate) unauthorised: bool,
}

impl Refusal {
    /// A refusal with a message that the client will read as `error.message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            data: None,
            unauthorised: false,
        }
    }

    /// A refusal because of the client's credentials.
    pub fn unauthorised(message: impl Into<String>) -> Self {
        Self {
            unauthorised: true,
            ..Self::new(message)
        }
    }

    /// Adds data that the client will read as `error.data`. What cannot be written as JSON is left out.
    #[must_use]
    pub fn with_data(mut self, data: &impl Serialize) -> Self {
        self.data = serde_json::to_string(data).ok();
        self
    }

    /// What the client will read as `error.message`.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The text of what the client will read as `error.data`.
    pub fn data(&self) -> Option<&str> {
        self.data.as_deref()
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// `?` in a connect handler refuses the client with the error's text: do not put secrets into it.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<&str> for Refusal {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

/// Why a socket is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client left the namespace.
    Client,
    /// A handler disconnected it.
    Server,
    /// It stopped answering pings and did not recover within the window.
    PingTimeout,
    /// Its connection ended and it did not recover within the window.
    TransportError,
    /// It was away for longer than the recovery window.
    RecoveryExpired,
    /// Another connection took it over and then left.
    Replaced,
}
