//! Answers that several endpoints give.
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Body;
use session::Refusal;

pub(crate) type Answer = Response<Full<Bytes>>;

pub(crate) fn answer(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer
}

pub(crate) fn typed(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = answer(status, body);
    answer
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// The answer to a HEAD. hyper sees to it over HTTP/1.1, and sends the body over HTTP/2.
pub(crate) fn without_body(answer: &mut Answer) {
    let body = std::mem::take(answer.body_mut());
    if let (Some(length), false) = (
        body.size_hint().exact(),
        answer.headers().contains_key(header::CONTENT_LENGTH),
    ) {
        answer.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
}

/// Wakeline's own errors, which the protocol does not word: `{"error":{"code","message"}}`.
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = format!(
        r#"{{"error":{{"code":{},"message":{}}}}}"#,
        quote(code),
        quote(message)
    );
    typed(status, "application/json", body)
}

/// A refusal over HTTP: the reference server's JSON, or no body at all.
pub(crate) fn refuse(refusal: Refusal) -> Answer {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let body = refusal.body();
    let mut answer = if body.is_empty() {
        answer(status, body)
    } else {
        typed(status, "application/json", body)
    };
    if refusal == Refusal::Unavailable {
        answer.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    answer
}

/// A refusal to upgrade: always 400 (503 if it may be tried again), the bare message, and the connection ends.
pub(crate) fn refuse_upgrade(refusal: Refusal) -> Answer {
    let unavailable = refusal == Refusal::Unavailable;
    let status = if unavailable {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::BAD_REQUEST
    };
    let mut answer = typed(status, "text/html", refusal.message());
    answer
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    if unavailable {
        answer.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    answer
}

pub(crate) fn method_not_allowed() -> Answer {
    let mut answer = error(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "only GET and HEAD are answered here",
    );
    answer
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    answer
}

/// Whether `If-None-Match` names this entity tag. Compared weakly, as RFC 9110 wants it here.
pub(crate) fn is_fresh(headers: &HeaderMap, etag: &str) -> bool {
    let lines = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|v| v.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// A JSON string.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            // Our messages hold no others.
            c if c < ' ' => out.push('?'),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Seconds: a node that drains is replaced by then, a full app may have room.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
