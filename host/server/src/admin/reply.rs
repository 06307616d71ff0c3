use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde_json::{Value, json};

/// Whole, or an endless stream ([`events`]).
pub(super) type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

pub(super) fn text(status: StatusCode, text: &str) -> Reply {
    typed(status, "text/plain; charset=utf-8", text.to_owned())
}

pub(super) fn metrics(text: String) -> Reply {
    typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
}

/// Why something was not done.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refused {
    /// Whoever asked is at fault.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "invalid",
            message: message.into(),
        }
    }

    /// More was sent than is taken: says what and how much.
    pub(crate) fn too_big(what: &str, bytes_max: usize) -> Self {
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            code: "body",
            message: format!("{what} did not arrive whole, or has more than {bytes_max} bytes"),
        }
    }

    pub(crate) fn unavailable(reason: impl std::fmt::Display) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "unavailable",
            message: format!("{reason}; send it again with the same idempotency_key"),
        }
    }
}

impl From<Refused> for Reply {
    fn from(refused: Refused) -> Self {
        error(refused.status, refused.code, &refused.message)
    }
}

/// Server-sent events, as they come.
pub(super) fn events(events: impl Stream<Item = Bytes> + Send + 'static) -> Reply {
    let body = StreamBody::new(events.map(|event| Ok(Frame::data(event))));
    let mut reply = Response::new(body.boxed_unsync());
    let headers = reply.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold them back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    reply
}

pub(super) fn json(status: StatusCode, value: &Value) -> Reply {
    typed(status, "application/json", value.to_string())
}

pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Reply {
    json(status, &json!({ "error": { "code": code, "message": message } }))
}

pub(super) fn no_app(name: &str) -> Reply {
    error(
        StatusCode::NOT_FOUND,
        "no_app",
        &format!("there is no app {name:?}"),
    )
}

pub(super) fn unauthorised() -> Reply {
    let mut reply = error(
        StatusCode::UNAUTHORIZED,
        "unauthorised",
        "send the operators' token: Authorization: Bearer …",
    );
    reply
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    reply
}

pub(super) fn method_not_allowed(allowed: &'static str) -> Reply {
    let mut reply = error(
        StatusCode::METHOD_NOT_ALLOWED,
        "method",
        &format!("expected {allowed}"),
    );
    reply
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    reply
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Full::new(body.into()).boxed_unsync());
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}
