//! What an Engine.IO request asks for, checked in the reference server's order: transport, origin, session or
//! method, protocol version.
use std::borrow::Cow;

use engineio::Settings;
use http::{HeaderMap, HeaderName, Method, header};
use session::{Handshake, Pairs, Refusal};

use crate::forwarded::Provenance;

/// A request's query, decoded where it is looked at: most requests are polls, of which two values are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a>(&'a str);

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

impl<'a> Query<'a> {
    /// `raw`: what follows the question mark.
    pub(crate) fn new(raw: &'a str) -> Self {
        Self(raw)
    }

    /// Percent-decoded, in order. Never fails: what is no valid escape stands for itself, what is no UTF-8 becomes U+FFFD.
    pub(crate) fn decoded(self) -> Pairs {
        self.pairs()
            .map(|(name, value)| (decode(name).into_owned(), decode(value).into_owned()))
            .collect()
    }

    /// The first [`PAIRS_MAX`] pairs, as they came.
    fn pairs(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = Some(self.0);
        let pairs = std::iter::from_fn(move || {
            let (pair, after) = cut(rest?, b'&');
            rest = after;
            Some(pair)
        });
        let pairs = pairs.filter(|pair| !pair.is_empty()).take(PAIRS_MAX);
        pairs.map(|pair| {
            let (name, value) = cut(pair, b'=');
            (name, value.unwrap_or_default())
        })
    }

    /// The first value of this name, in which nothing needs an escape.
    fn get(self, name: &str) -> Option<Cow<'a, str>> {
        let mut pairs = self.pairs();
        // An escape is longer than what it stands for.
        let (_, value) = pairs.find(|(n, _)| *n == name || n.len() > name.len() && *decode(n) == *name)?;
        Some(decode(value))
    }

    /// The first check.
    pub(crate) fn transport(self, settings: &Settings) -> Result<Asked, Refusal> {
        match self.get("transport").as_deref() {
            Some("polling") if settings.polling => Ok(Asked::Polling),
            Some("websocket") if settings.websocket => Ok(Asked::WebSocket),
            _ => Err(Refusal::TransportUnknown),
        }
    }

    /// The checks after the origin's, as far as no session is needed for them. `upgrade`: whether the request wants
    /// to become a WebSocket. A session's id is not checked here.
    pub(crate) fn intent(self, asked: Asked, method: &Method, upgrade: bool) -> Result<Intent, Refusal> {
        // Node takes `?sid=` for no sid.
        if let Some(sid) = self.get("sid").filter(|sid| !sid.is_empty()) {
            return Ok(Intent::Session(sid.into_owned()));
        }
        if method != Method::GET {
            return Err(Refusal::BadHandshakeMethod);
        }
        if (asked == Asked::WebSocket) != upgrade {
            return Err(Refusal::BadRequest);
        }
        if self.get("EIO").as_deref() != Some("4") {
            return Err(Refusal::UnsupportedVersion);
        }
        Ok(Intent::Open)
    }
}

/// What an app is told of a connection: not what the request says to this server alone, so that a WebSocket's session knows
/// of its client what a polling one knows.
pub(crate) fn handshake(query: Query<'_>, headers: &HeaderMap, at: &Provenance) -> Handshake {
    let mut bytes = 0;
    let mut lines = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        if OF_THE_CONNECTION.contains(name) {
            continue;
        }
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
        query: query.decoded(),
        headers: lines.into(),
        remote_address: at.address.to_string(),
        ..Handshake::default()
    }
}

/// As browsers' forms and Node's `querystring`: `+` is a space.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|b| b == b'%' || b == b'+') {
        return text.into();
    }
    let bytes = percent_decode(&text.replace('+', " "));
    let decoded = String::from_utf8(bytes);
    decoded.map_or_else(
        |e| String::from_utf8_lossy(e.as_bytes()).into_owned().into(),
        Cow::from,
    )
}

/// What stands before the first `byte`, which is ASCII, and what after it. By hand: these texts are short, and searchers made
/// for long ones take longer to set up than to run.
fn cut(text: &str, byte: u8) -> (&str, Option<&str>) {
    match text.bytes().position(|b| b == byte) {
        None => (text, None),
        Some(place) => (text.get(..place).unwrap_or_default(), text.get(place + 1..)),
    }
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

/// They concern the connection and its framing, which are the host's. Of a WebSocket's request that is all but one of the
/// headers that it must have, each two strings to copy into a guest; what a client asks for with `Sec-WebSocket-Protocol` is the app's.
const OF_THE_CONNECTION: [HeaderName; 5] = [
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_EXTENSIONS,
];
/// As many as a sane client never sends; Node stops at 1,000.
const PAIRS_MAX: usize = 256;
const HEADERS_MAX: usize = 100;
/// Headers are kept for a session's life.
const HEADER_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests;
