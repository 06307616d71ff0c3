//! From request to WebSocket: everything that can be refused is, before the 101.
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header};
use hyper::{
    body::Incoming,
    upgrade::{OnUpgrade, on},
};
use hyper_tungstenite::tungstenite::handshake::derive_accept_key;
use hyper_util::{rt::TokioIo, server::conn::auto::upgrade::downcast};
use session::{OpenRequest, Protocol, Refusal, spawn_local};

use crate::{
    front::Front,
    request::{Asked, Query, handshake},
    respond::{Answer, answer, refuse_upgrade},
    service::Visit,
    stream::Stream,
    websocket::{Limits, Socket},
};

/// A WebSocket that opens a session, on this core.
pub(crate) fn open(
    visit: Visit,
    mut request: Request<Incoming>,
    query: Query<'_>,
    protocol: Protocol,
) -> Answer {
    let hub = visit.client.site.hub.clone();
    if let Err(refusal) = hub.admits(&visit.app) {
        return refuse_upgrade(refusal);
    }
    let switching = match switching(&request) {
        Ok(switching) => switching,
        Err(answer) => return *answer,
    };
    let handshake = handshake(query, request.headers(), &visit.at);
    let upgrade = on(&mut request);
    spawn_local(async move {
        let Some((stream, early)) = upgraded(upgrade).await else {
            return;
        };
        let limits = Limits::new(&visit);
        let lease = visit.client.lease.clone();
        let socket = Socket::new(stream, &early, limits, lease);
        // Spawned once more, so that an idle connection's task is no larger than it must be.
        match hub.open_websocket(OpenRequest {
            app: visit.app,
            protocol,
            handshake,
        }) {
            Ok(port) => spawn_local(socket.carry(port)),
            Err(refusal) => {
                tracing::debug!(%refusal, "refused after 101");
                spawn_local(socket.turn_away(TRY_AGAIN_LATER))
            }
        };
    });
    switching
}

/// A WebSocket for a session that has another transport: goes where the session lives.
pub(crate) async fn attach(
    visit: Visit,
    mut request: Request<Incoming>,
    asked: Asked,
    sid: String,
) -> Answer {
    let hub = visit.client.site.hub.clone();
    if let Err(refusal) = hub.check(&visit.app.name, &sid).await {
        return refuse_upgrade(refusal);
    }
    if asked != Asked::WebSocket {
        return refuse_upgrade(Refusal::BadRequest);
    }
    let switching = match switching(&request) {
        Ok(switching) => switching,
        Err(answer) => return *answer,
    };
    let upgrade = on(&mut request);
    spawn_local(async move {
        let Some((stream, early)) = upgraded(upgrade).await else {
            return;
        };
        let parcel = match stream.pack() {
            Ok(parcel) => parcel,
            Err(e) => return tracing::debug!(error = %e, "upgrading WebSocket lost on its way home"),
        };
        let limits = Limits::new(&visit);
        let (app, lease) = (visit.app.name.clone(), visit.client.lease.clone());
        let session = sid.clone();
        let arrive = move |hub: session::Hub| {
            match parcel.unpack() {
                Ok(stream) => {
                    let socket = Socket::new(stream, &early, limits, lease);
                    match hub.attach_websocket(&app, &sid) {
                        Ok(port) => spawn_local(socket.carry(port)),
                        // A second WebSocket, or the session ended meanwhile: as the reference server.
                        Err(_) => spawn_local(socket.turn_away(None)),
                    };
                }
                Err(e) => tracing::debug!(error = %e, "upgrading WebSocket lost on its way home"),
            }
            let done: futures_util::future::LocalBoxFuture<'static, ()> = Box::pin(std::future::ready(()));
            done
        };
        if !hub.shards().run_at_home(&session, Box::new(arrive)) {
            tracing::debug!("upgrading WebSocket lost: its session's core has ended");
        }
    });
    switching
}

/// The 101, or why the request cannot have it.
pub(crate) fn switching<B>(request: &Request<B>) -> Result<Answer, Box<Answer>> {
    let headers = request.headers();
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
    let key = key.filter(|_| request.method() == Method::GET && request.version() == Version::HTTP_11);
    let accept = key.and_then(|key| HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok());
    let Some(accept) = accept else {
        return Err(Box::new(refuse_upgrade(Refusal::BadRequest)));
    };
    if headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        let mut refused = refuse_upgrade(Refusal::BadRequest);
        *refused.status_mut() = StatusCode::UPGRADE_REQUIRED;
        refused
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Err(Box::new(refused));
    }
    let mut switching = answer(StatusCode::SWITCHING_PROTOCOLS, "");
    let out = switching.headers_mut();
    out.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    out.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    out.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = first_protocol(headers) {
        out.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    Ok(switching)
}

/// 16 bytes in base64.
fn is_key(key: &HeaderValue) -> bool {
    key.len() == 24
        && STANDARD
            .decode(key.as_bytes())
            .is_ok_and(|nonce| nonce.len() == 16)
}

/// Browsers that name subprotocols fail without an answer to them; the reference server takes the first.
fn first_protocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let line = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.as_bytes();
    let first = line.split(|b| *b == b',').next()?.trim_ascii();
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    (!first.is_empty() && first.len() <= PROTOCOL_BYTES_MAX && first.iter().all(is_token))
        .then(|| HeaderValue::from_bytes(first).ok())
        .flatten()
}

/// The connection's stream and what was read of it beyond the request. `None`: the client did not wait for the 101.
pub(crate) async fn upgraded(upgrade: OnUpgrade) -> Option<(Stream, Bytes)> {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(e) => {
            tracing::debug!(error = %e, "client gone in mid-upgrade");
            return None;
        }
    };
    match downcast::<TokioIo<Front>>(upgraded) {
        Ok(parts) => Some(parts.io.into_inner().into_parts(parts.read_buf)),
        Err(_) => unreachable!("every connection is served over a `Front`"),
    }
}

pub(crate) const TRY_AGAIN_LATER: Option<u16> = Some(1013);
const PROTOCOL_BYTES_MAX: usize = 128;
