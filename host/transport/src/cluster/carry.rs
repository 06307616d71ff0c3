//! A WebSocket whose session lives, or is to be opened, on another node.
use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    body::Incoming,
    client::conn::http1::handshake,
    upgrade::{OnUpgrade, on},
};
use hyper_util::rt::TokioIo;
use session::spawn_local;
use tokio::{net::TcpStream, time::timeout};

use super::{
    Outward, Peering, There,
    copy::{Limits, Pair},
    forward::{ANSWER_BYTES_MAX, passed, sealed},
    headers::end_to_end,
    increment,
    links::{Missed, dial},
};
use crate::{
    respond::{Answer, refuse_upgrade},
    service::{Reply, Visit},
    upgrade::upgraded,
};

/// Has the other node answer, and if it accepts, carries all that follows both ways.
pub(crate) async fn carry(
    visit: Visit,
    outward: &Outward,
    mut request: Request<Incoming>,
    there: There,
) -> Reply {
    let peering = &outward.peering;
    increment(&peering.counters.upgrades);
    let refused = || Reply::Own(refuse_upgrade(there.missed));
    let mut headers = end_to_end(request.headers());
    for name in [header::CONNECTION, header::UPGRADE] {
        if let Some(value) = request.headers().get(&name) {
            let made = if name == header::CONNECTION {
                &UPGRADE
            } else {
                value
            };
            headers.insert(name, made.clone());
        }
    }
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let Some(outgoing) = sealed(peering, &visit, &there, method, &uri, headers) else {
        return refused();
    };
    let asked = timeout(
        ANSWER_TIMEOUT,
        ask(&there.node.address, outgoing, &uri, request.version()),
    );
    let mut response = match asked.await {
        Ok(Ok(response)) => response,
        Ok(Err(missed)) => {
            peering.missed(&there.node, &missed);
            return refused();
        }
        Err(_) => {
            peering.missed(&there.node, &Missed::Late);
            return refused();
        }
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return match whole(response).await {
            Ok(answer) => Reply::Passed(answer),
            Err(missed) => {
                peering.missed(&there.node, &missed);
                refused()
            }
        };
    }
    let (client, home) = (on(&mut request), on(&mut response));
    let switching = switching(response);
    let carried = Carried::new(Arc::clone(peering));
    let stopping = outward.stopping.clone();
    spawn_local(async move {
        let (Some((client, early)), Some((home, said))) = (upgraded(client).await, home_upgraded(home).await)
        else {
            return;
        };
        let mut pair = Pair::new(client, home, &early, &said, Limits::new(&visit));
        // Spawned once more, so that an idle connection's task is no larger than it must be.
        spawn_local(async move {
            let _counted = carried;
            let _lease = Arc::clone(&visit.client.lease);
            drop(visit);
            pair.carry(pin!(stopped(stopping))).await;
        });
    });
    Reply::Passed(switching)
}

/// A connection of its own for one request.
async fn ask(
    address: &str,
    mut request: Request<()>,
    uri: &http::Uri,
    version: http::Version,
) -> Result<Response<Incoming>, Missed> {
    // As on any HTTP/1.1 connection to a server: the target without the host.
    if let Some(target) = uri.path_and_query() {
        *request.uri_mut() = target.clone().into();
    }
    *request.version_mut() = version;
    let tcp = dial(address).await?;
    let broken = |error| Missed::Broken(Arc::new(error));
    let (mut sender, connection) = handshake(TokioIo::new(tcp)).await.map_err(broken)?;
    // Ends when the request is dropped, or after its answer.
    spawn_local(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection to another node broke");
        }
    });
    let request = request.map(|()| Empty::<Bytes>::new());
    let response = sender.send_request(request).await.map_err(broken)?;
    if response.status() == StatusCode::UNAUTHORIZED {
        return Err(Missed::Refused);
    }
    Ok(response)
}

/// The other node's refusal. Whether the client's connection ends with it is part of what refusals say.
async fn whole(response: Response<Incoming>) -> Result<Answer, Missed> {
    let closes = response
        .headers()
        .get(header::CONNECTION)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(Missed::from_body)?.to_bytes();
    let mut answer = passed(Response::from_parts(head, body));
    if closes {
        answer
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(answer)
}

fn switching(response: Response<Incoming>) -> Answer {
    let (head, _) = response.into_parts();
    let mut answer = passed(Response::from_parts(head, Bytes::new()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, UPGRADE);
    answer
}

async fn home_upgraded(upgrade: OnUpgrade) -> Option<(TcpStream, Bytes)> {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "the other node is gone in mid-upgrade");
            return None;
        }
    };
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => Some((parts.io.into_inner(), parts.read_buf)),
        Err(_) => unreachable!("connections to nodes are plain TCP"),
    }
}

/// Ends some time after the listener stops: not all clients at once.
async fn stopped(mut stopping: tokio::sync::watch::Receiver<()>) {
    while stopping.changed().await.is_ok() {}
    let mut random = [0; 2];
    if getrandom::fill(&mut random).is_ok() {
        let share = f32::from(u16::from_le_bytes(random)) / f32::from(u16::MAX);
        tokio::time::sleep(STOPPING.mul_f32(share)).await;
    }
}

/// Counts a WebSocket for as long as it is carried.
struct Carried(Arc<Peering>);

impl Carried {
    fn new(peering: Arc<Peering>) -> Self {
        increment(&peering.counters.websockets);
        Self(peering)
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.0.counters.websockets.fetch_sub(1, Ordering::Relaxed);
    }
}

const UPGRADE: HeaderValue = HeaderValue::from_static("Upgrade");
/// For the other node to answer an upgrade, the connection to it included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Within this, the WebSockets that a stopping listener carries end.
const STOPPING: Duration = Duration::from_secs(3);
