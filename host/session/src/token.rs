//! Recovery of clients whose library knows nothing of it: they show a token of their own when they come back.
//!
//! The token stands for the socket's `pid`. Such a client does not say how far it came, unless it sends the `offset` that
//! events end with beside the token; so it is sent again what came after its last pong, which proves that it had received
//! what went before the ping.
use std::{rc::Rc, sync::Arc};

use backplane::{Change, Condition};
use router::Handshake;
use serde_json::Value;
use socketio::RecoveryClaim;

use crate::{AppEntry, Hub, ids, state::SocketKey};

/// Where an app's clients carry their token (manifest `[recovery] token`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// A field of the `auth` payload.
    Auth(Arc<str>),
    /// A cookie of the connection's first request.
    Cookie(Arc<str>),
}

/// Whoever has the token has the socket: shorter ones could be guessed. Longer ones are no tokens.
const TOKEN_BYTES_MIN: usize = 16;
const TOKEN_BYTES_MAX: usize = 256;

/// What a client showed: names the socket in the bucket of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) key: Arc<str>,
    offset: Option<String>,
}

impl TokenPlace {
    pub(crate) fn find(&self, namespace: &str, auth: Option<&str>, handshake: &Handshake) -> Option<Shown> {
        let auth: Value = auth
            .and_then(|auth| serde_json::from_str(auth).ok())
            .unwrap_or_default();
        let token = match self {
            Self::Auth(field) => auth.get(&**field)?.as_str()?,
            Self::Cookie(name) => cookie(handshake, name)?,
        };
        if !(TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&token.len()) {
            tracing::debug!(bytes = token.len(), "a token of that length is none");
            return None;
        }
        let offset = auth.get("offset").and_then(Value::as_str).map(str::to_owned);
        Some(Shown {
            key: format!("{namespace}\0{token}").into(),
            offset,
        })
    }
}

pub(crate) fn cookie<'a>(handshake: &'a Handshake, name: &str) -> Option<&'a str> {
    let lines = handshake.headers.iter().filter(|(header, _)| header == "cookie");
    let pairs = lines.flat_map(|(_, line)| line.split(';'));
    let mut found = pairs.filter_map(|pair| pair.trim().split_once('='));
    found.find(|(key, _)| *key == name).map(|(_, value)| value)
}

impl Hub {
    /// The claim that a shown token stands for. `None`: it is new.
    pub(crate) async fn claim_of(&self, app: &AppEntry, shown: &Shown) -> Option<RecoveryClaim> {
        let value = self
            .0
            .backplane
            .get(&bucket(&app.name), &shown.key)
            .await
            .ok()??;
        let pid = String::from_utf8(value.bytes.to_vec()).ok()?;
        Some(RecoveryClaim {
            pid,
            offset: shown.offset.clone(),
        })
    }

    /// From now on the token is this socket's.
    pub(crate) async fn bind_token(&self, app: &Rc<AppEntry>, key: SocketKey, shown: Shown) {
        let pid = self.with(|state, _| {
            let socket = state.sockets.get_mut(key)?;
            socket.token = Some(shown.key.clone());
            Some(ids::pid(&socket.secret, &socket.id))
        });
        let Some(pid) = pid else { return };
        let change = Change {
            key: shown.key.to_string(),
            value: Some(pid.into()),
            condition: Condition::Always,
        };
        if let Err(error) = self.0.backplane.write(&bucket(&app.name), vec![change]).await {
            tracing::warn!(app = %app.name, %error, "a client's token was not stored: it will not be recovered by it");
        }
    }

    /// A socket is gone for good, its token is free, unless it is another socket's by now.
    pub(crate) async fn free_token(&self, app: &str, token: &str, pid: &str) {
        let (bucket, backplane) = (bucket(app), &self.0.backplane);
        let Ok(Some(value)) = backplane.get(&bucket, token).await else {
            return;
        };
        if value.bytes != pid.as_bytes() {
            return;
        }
        let change = Change {
            key: token.to_owned(),
            value: None,
            condition: Condition::Revision(value.revision),
        };
        if let Err(error) = backplane.write(&bucket, vec![change]).await {
            tracing::debug!(%app, %error, "a token was not removed");
        }
    }
}

fn bucket(app: &str) -> String {
    format!("tokens:{app}")
}

#[cfg(test)]
mod tests;
