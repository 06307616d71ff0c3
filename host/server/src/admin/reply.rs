use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};

pub(super) type Reply = Response<Full<Bytes>>;

pub(super) fn text(status: StatusCode, text: &str) -> Reply {
    typed(status, "text/plain; charset=utf-8", text.to_owned())
}

pub(super) fn metrics(text: String) -> Reply {
    typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
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
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}
