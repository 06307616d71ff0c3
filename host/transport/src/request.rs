//! What an Engine.IO request asks for, checked in the reference server's order: transport, origin, session or
//! method, protocol version.
use engineio::Settings;
use http::{HeaderMap, Method};
use session::{Handshake, Refusal};

use crate::forwarded::Provenance;

/// A request's query, percent-decoded, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query(pub(crate) Vec<(String, String)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Polling,
    WebSocket,
}

/// What is asked of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// A new one.
    Open,
    /// This one.
    Session(String),
}

impl Query {
    /// Never fails: what is no valid escape stands for itself, what is no UTF-8 becomes U+FFFD. The first
    /// [`PAIRS_MAX`] pairs count.
    pub(crate) fn parse(raw: &str) -> Self {
        let pairs = raw.split('&').filter(|pair| !pair.is_empty()).take(PAIRS_MAX);
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// The first value of this name.
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first check.
    pub(crate) fn transport(&self, settings: &Settings) -> Result<Asked, Refusal> {
        match self.get("transport") {
            Some("polling") if settings.polling => Ok(Asked::Polling),
            Some("websocket") if settings.websocket => Ok(Asked::WebSocket),
            _ => Err(Refusal::TransportUnknown),
        }
    }

    /// The checks after the origin's, as far as no session is needed for them. `upgrade`: whether the request wants
    /// to become a WebSocket. A session's id is not checked here.
    pub(crate) fn intent(&self, asked: Asked, method: &Method, upgrade: bool) -> Result<Intent, Refusal> {
        // Node takes `?sid=` for no sid.
        if let Some(sid) = self.get("sid").filter(|sid| !sid.is_empty()) {
            return Ok(Intent::Session(sid.to_owned()));
        }
        if method != Method::GET {
            return Err(Refusal::BadHandshakeMethod);
        }
        if (asked == Asked::WebSocket) != upgrade {
            return Err(Refusal::BadRequest);
        }
        if self.get("EIO") != Some("4") {
            return Err(Refusal::UnsupportedVersion);
        }
        Ok(Intent::Open)
    }
}

/// What an app is told of a connection.
pub(crate) fn handshake(query: Query, headers: &HeaderMap, at: &Provenance) -> Handshake {
    let mut bytes = 0;
    let mut lines = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let Ok(value) = std::str::from_utf8(value.as_bytes()) else {
            continue;
        };
        bytes += name.as_str().len() + value.len();
        if bytes > HEADER_BYTES_MAX || lines.len() == HEADERS_MAX {
            break;
        }
        lines.push((name.as_str().to_owned(), value.to_owned()));
    }
    Handshake {
        query: query.0,
        headers: lines,
        remote_address: at.address.to_string(),
        ..Handshake::default()
    }
}

/// As browsers' forms and Node's `querystring`: `+` is a space.
fn decode(text: &str) -> String {
    if !text.bytes().any(|b| b == b'%' || b == b'+') {
        return text.to_owned();
    }
    let bytes = percent_decode(&text.replace('+', " "));
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Bytes that are no valid escape stand for themselves.
pub(crate) fn percent_decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%'
            && let [high, low, after @ ..] = after
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            bytes.push(high << 4 | low);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    bytes
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// As many as a sane client never sends; Node stops at 1,000.
const PAIRS_MAX: usize = 256;
const HEADERS_MAX: usize = 100;
/// Headers are kept for a session's life.
const HEADER_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests;
