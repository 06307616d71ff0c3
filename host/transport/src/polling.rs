//! Engine.IO over plain requests.
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use session::{OpenRequest, PollBody, Protocol, Refusal, spawn_local};
use tokio::time::{Instant, timeout_at};

use crate::{
    WebSettings,
    compress::{COMPRESSED_BYTES_MIN, Encoding},
    request::{Asked, Query, handshake},
    respond::{Answer, answer, refuse, typed},
    service::Visit,
};

/// A GET without a session: its handshake.
pub(crate) fn open(
    visit: &Visit,
    request: &Request<Incoming>,
    query: Query<'_>,
    protocol: Protocol,
) -> Answer {
    let handshake = handshake(query, request.headers(), &visit.at);
    let asked = OpenRequest {
        app: visit.app.clone(),
        protocol,
        handshake,
    };
    let opened = match visit.client.site.hub.open_polling(asked) {
        Ok(opened) => opened,
        Err(refusal) => return refuse(refusal),
    };
    let mut answer = packets(opened.body, &visit.web, request.headers());
    if let Some(cookie) = &visit.web.cookie {
        let secure = if cookie.secure { "; Secure" } else { "" };
        let line = format!(
            "{}={}; Path=/; HttpOnly; SameSite=Lax{secure}",
            cookie.name, opened.sid
        );
        if let Ok(line) = HeaderValue::from_str(&line) {
            answer.headers_mut().insert(header::SET_COOKIE, line);
        }
    }
    answer
}

/// A request of a session, living or not.
pub(crate) async fn carry(visit: &Visit, request: Request<Incoming>, asked: Asked, sid: &str) -> Answer {
    let (hub, app) = (&visit.client.site.hub, &*visit.app.name);
    let outcome = match (asked, request.method()) {
        (Asked::Polling, &Method::GET) => {
            let polled = hub.poll(app, sid).await;
            polled.map(|body| packets(body, &visit.web, request.headers()))
        }
        (Asked::Polling, &Method::POST) if is_octet_stream(request.headers()) => {
            let outcome = hub.check(app, sid).await;
            if outcome.is_ok() {
                hub.abandon(app, sid);
            }
            outcome.and(Err(Refusal::Broken))
        }
        (Asked::Polling, &Method::POST) => return post(visit, Upload::new(request), sid).await,
        // The reference server answers a living session's PUT with an empty 500, which blames the wrong side.
        _ => hub.check(app, sid).await.and(Err(Refusal::BadRequest)),
    };
    outcome.unwrap_or_else(refuse)
}

/// Whether [`carry`] would read the request's body.
pub(crate) fn reads_body(asked: Asked, request: &Request<Incoming>) -> bool {
    asked == Asked::Polling && *request.method() == Method::POST && !is_octet_stream(request.headers())
}

async fn post(visit: &Visit, upload: Upload, sid: &str) -> Answer {
    let (hub, app) = (&visit.client.site.hub, &*visit.app.name);
    let outcome = match take_body(visit, upload).await {
        Taken::Whole(bytes) => hub.post(app, sid, bytes).await,
        Taken::Oversized => hub.check(app, sid).await.and(Err(Refusal::TooLarge)),
        Taken::Refused(answer) => return answer,
    };
    match outcome {
        Ok(()) => {
            let mut answer = typed(StatusCode::OK, "text/html", "ok");
            answer.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
            answer
        }
        Err(refusal) => refuse(refusal),
    }
}

/// The answer to a poll, compressed if that is worth while and wanted.
fn packets(PollBody(body): PollBody, web: &WebSettings, headers: &HeaderMap) -> Answer {
    let encoding = (web.compression && body.len() >= COMPRESSED_BYTES_MIN)
        .then(|| Encoding::accepted(headers))
        .flatten()
        .and_then(|encoding| Some((encoding.name(), encoding.compress(&body).ok()?)));
    let mut answer = match encoding {
        Some((name, packed)) => {
            let mut answer = typed(StatusCode::OK, TEXT, packed);
            answer
                .headers_mut()
                .insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
            answer
        }
        None => typed(StatusCode::OK, TEXT, body),
    };
    answer.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    answer
}

/// What is read of a POST: without its head, which would be kept while the body comes.
pub(crate) struct Upload {
    body: Incoming,
    /// The client sends its body only when it is asked for.
    expects: bool,
}

impl Upload {
    pub(crate) fn new(request: Request<Incoming>) -> Self {
        Self {
            expects: request.headers().contains_key(header::EXPECT),
            body: request.into_body(),
        }
    }
}

/// A POST's body, within the app's limit and the listener's time.
pub(crate) enum Taken {
    Whole(Bytes),
    /// What that is worth depends on the session.
    Oversized,
    Refused(Answer),
}

pub(crate) async fn take_body(visit: &Visit, upload: Upload) -> Taken {
    if visit.is_oversized {
        return Taken::Oversized;
    }
    let Upload { mut body, expects } = upload;
    let deadline = Instant::now() + visit.client.site.config.body_read_timeout;
    let bytes_max = visit.app.settings.engine.max_payload_bytes;
    match timeout_at(deadline, read(&mut body, bytes_max)).await {
        Ok(Ok(bytes)) => Taken::Whole(bytes),
        Ok(Err(BodyError::TooLarge)) => {
            // A client that is still writing would lose the answer to a reset. Nobody waits for this.
            if !expects {
                spawn_local(timeout_at(deadline, discard(body)));
            }
            Taken::Oversized
        }
        Ok(Err(BodyError::Gone)) => Taken::Refused(refuse(Refusal::BadRequest)),
        Err(_elapsed) => Taken::Refused(too_slow()),
    }
}

pub(crate) enum BodyError {
    TooLarge,
    /// The client went, or its framing is broken: nobody reads the answer.
    Gone,
}

pub(crate) async fn read(body: &mut Incoming, bytes_max: usize) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(BodyError::TooLarge);
    }
    // Most bodies are one frame, which is then not copied.
    let mut whole = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Gone)?.into_data() else {
            continue;
        };
        if whole.len() + joined.len() + data.len() > bytes_max {
            return Err(BodyError::TooLarge);
        }
        if whole.is_empty() && joined.is_empty() {
            whole = data;
        } else {
            joined.extend_from_slice(&whole);
            whole = Bytes::new();
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() { whole } else { joined.freeze() })
}

async fn discard(mut body: Incoming) {
    let mut left = DISCARDED_BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let size = frame.data_ref().map_or(0, Bytes::len);
        if size > left {
            return;
        }
        left -= size;
    }
}

fn too_slow() -> Answer {
    let mut answer = answer(StatusCode::REQUEST_TIMEOUT, "");
    answer
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn is_octet_stream(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/octet-stream")
}

const TEXT: &str = "text/plain; charset=UTF-8";
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Of a body that is refused, so that the refusal is read. Beyond, the connection is cut.
const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;
