use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use platform::{ManifestErrors, PlatformError, Problem};
use serde_json::{Value, json};

/// Whole, or a stream.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;
pub(super) type Reply = Response<Body>;
pub(super) type Outcome = Result<Reply, Denied>;

/// An answer that says no, and why.
pub(super) struct Denied(Box<Reply>);

/// Why something was not done, before it is an answer: pushes and emits come by other ways, too.
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
            message: format!("{what} has more than {bytes_max} bytes"),
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

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        let denied = error(refused.status, refused.code, &refused.message);
        match refused.status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                denied.with(header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
            _ => denied,
        }
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

pub(super) fn nothing() -> Body {
    Empty::new().boxed_unsync()
}

pub(super) fn text(status: StatusCode, text: &str) -> Reply {
    typed(status, "text/plain; charset=utf-8", text.to_owned())
}

pub(super) fn metrics(text: String) -> Reply {
    typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
}

pub(super) fn json(status: StatusCode, value: &Value) -> Reply {
    typed(status, "application/json", value.to_string())
}

/// Done, and nothing to say of it.
pub(super) fn done() -> Reply {
    json(StatusCode::OK, &json!({}))
}

pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Denied {
    Denied::of(status, &json!({ "code": code, "message": message }))
}

pub(super) fn invalid(message: &str) -> Denied {
    error(StatusCode::BAD_REQUEST, "invalid", message)
}

/// Our own fault, or for want of something: the same may go well a moment later.
pub(super) fn unavailable(message: &str) -> Denied {
    error(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
}

/// Whether there is none, or it is none of theirs: who asks cannot tell.
pub(super) fn no_app(name: &str) -> Denied {
    error(
        StatusCode::NOT_FOUND,
        "no_app",
        &format!("there is no app {name:?}"),
    )
}

pub(super) fn unauthorised() -> Denied {
    let message = "send a token that is valid: Authorization: Bearer …";
    let bearer = HeaderValue::from_static("Bearer");
    error(StatusCode::UNAUTHORIZED, "unauthorised", message).with(header::WWW_AUTHENTICATE, bearer)
}

pub(super) fn too_many(message: &str) -> Denied {
    error(StatusCode::TOO_MANY_REQUESTS, "too_many", message)
        .with(header::RETRY_AFTER, HeaderValue::from_static("2"))
}

pub(super) fn method_not_allowed(allowed: &str) -> Denied {
    let message = format!("expected {allowed}");
    let refused = error(StatusCode::METHOD_NOT_ALLOWED, "method", &message);
    match HeaderValue::from_str(allowed) {
        Ok(allowed) => refused.with(header::ALLOW, allowed),
        Err(_) => refused,
    }
}

impl Denied {
    fn of(status: StatusCode, error: &Value) -> Self {
        Self(Box::new(json(status, &json!({ "error": error }))))
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }

    pub(super) fn into_reply(self) -> Reply {
        *self.0
    }
}

/// The one place where the platform's errors become answers.
impl From<PlatformError> for Denied {
    fn from(refused: PlatformError) -> Self {
        let (status, code) = match &refused {
            PlatformError::NoApp(name) => return no_app(name),
            PlatformError::Manifest(errors) => return manifest(errors),
            PlatformError::NoVersion { .. } => (StatusCode::NOT_FOUND, "no_version"),
            PlatformError::NoToken => (StatusCode::NOT_FOUND, "no_token"),
            PlatformError::NoSecret(_) => (StatusCode::NOT_FOUND, "no_secret"),
            PlatformError::Invalid { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            PlatformError::Full { .. } => (StatusCode::CONFLICT, "full"),
            PlatformError::Conflict => (StatusCode::CONFLICT, "conflict"),
            PlatformError::NoSecretsKey => (StatusCode::SERVICE_UNAVAILABLE, "no_secrets_key"),
            PlatformError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            PlatformError::Damaged { .. } => {
                tracing::error!(%refused, "a record of the platform is damaged");
                (StatusCode::INTERNAL_SERVER_ERROR, "damaged")
            }
        };
        error(status, code, &refused.to_string())
    }
}

fn manifest(errors: &ManifestErrors) -> Denied {
    let problem = |problem: &Problem| {
        json!({
            "line": problem.line,
            "column": problem.column,
            "key": problem.key,
            "message": problem.message,
            "help": problem.help,
        })
    };
    let problems: Vec<_> = errors.problems.iter().map(problem).collect();
    let error = json!({ "code": "manifest", "message": errors.to_string(), "problems": problems });
    Denied::of(StatusCode::UNPROCESSABLE_ENTITY, &error)
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Full::new(body.into()).boxed_unsync());
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
