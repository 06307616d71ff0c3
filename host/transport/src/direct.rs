//! WebSockets that a connection's first request opens, as nearly all do: read here and not by hyper, so that no HTTP
//! connection is set up for one answer, and the 101 and the session's first packet are one write.
//!
//! Only what will succeed is taken. Everything else (requests in pieces, refusals, upgrades of sessions that poll, requests
//! for other nodes) is given to hyper as it came, so that there is one place that words answers.
use std::{mem::MaybeUninit, rc::Rc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, Version, header};
use session::{Handshake, OpenRequest, Protocol, spawn_local};

use crate::{
    TransportConfig,
    front::Front,
    respond::Answer,
    service::{Client, Visit, Wish, wish},
    stream::Stream,
    upgrade::{TRY_AGAIN_LATER, switching},
    websocket::{Limits, Socket},
};

/// Takes over a connection that begins with `early`, or gives it back.
pub(crate) fn open(client: &Rc<Client>, stream: Stream, early: Bytes) -> Result<(), Front> {
    let Some(opening) = Opening::read(client, &early) else {
        return Err(Front::new(early, stream));
    };
    let Opening {
        visit,
        protocol,
        handshake,
        head,
        rest,
    } = opening;
    let mut socket = Socket::new(stream, &rest, Limits::new(&visit), visit.client.lease.clone());
    socket.say_first(&head);
    let asked = OpenRequest {
        app: visit.app,
        protocol,
        handshake,
    };
    // Spawned, so that an idle connection's task is no larger than it must be.
    match client.site.hub.open_websocket(asked) {
        Ok(port) => spawn_local(socket.carry(port)),
        Err(refusal) => {
            tracing::debug!(%refusal, "refused after 101");
            spawn_local(socket.turn_away(TRY_AGAIN_LATER))
        }
    };
    Ok(())
}

/// A WebSocket that can be opened here and now.
struct Opening {
    visit: Visit,
    protocol: Protocol,
    handshake: Handshake,
    /// The 101 as it is written.
    head: Vec<u8>,
    /// What followed the request.
    rest: Bytes,
}

impl Opening {
    fn read(client: &Rc<Client>, bytes: &Bytes) -> Option<Self> {
        let (mut request, head_bytes) = parse(bytes, &client.site.config)?;
        let Wish {
            visit,
            protocol,
            handshake,
            cors,
        } = wish(client, &mut request)?;
        let mut switching = switching(&request).ok()?;
        cors.apply(switching.headers_mut());
        Some(Self {
            visit,
            protocol,
            handshake,
            head: written(&switching),
            rest: bytes.slice(head_bytes..),
        })
    }
}

/// The request that `bytes` begin with and the size of its head, if it is a whole GET over HTTP/1.1 without a body, within
/// the listener's limits. Its values are parts of `bytes`. The parser is hyper's.
fn parse(bytes: &Bytes, config: &TransportConfig) -> Option<(Request<()>, usize)> {
    if !bytes.starts_with(b"GET /") {
        return None;
    }
    let mut room = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    let parsing = httparse::ParserConfig::default();
    let outcome = parsing.parse_request_with_uninit_headers(&mut parsed, bytes, &mut room);
    let Ok(httparse::Status::Complete(head_bytes)) = outcome else {
        return None;
    };
    if parsed.version != Some(1)
        || head_bytes > config.head_bytes_max
        || parsed.headers.len() > config.headers_max
    {
        return None;
    }
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    *request.uri_mut() = Uri::from_maybe_shared(bytes.slice_ref(parsed.path?.as_bytes())).ok()?;
    let headers = request.headers_mut();
    headers.reserve(parsed.headers.len());
    for line in &*parsed.headers {
        let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
        if BODILY.contains(&name) {
            return None;
        }
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(line.value)).ok()?;
        headers.append(name, value);
    }
    Some((request, head_bytes))
}

/// A 101 as hyper would write it. Without a `Date`: servers need not send one with it (RFC 9110, 6.6.1).
fn written(switching: &Answer) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    head.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
    for (name, value) in switching.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Of more than these hyper may think what it likes.
const HEADERS_MAX: usize = 64;
/// Requests that have one of these have a body, or say that they have.
const BODILY: [HeaderName; 3] = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::EXPECT];
/// Mostly enough.
const HEAD_BYTES: usize = 256;

#[cfg(test)]
mod tests;
