//! `POST /v1/apps/{app}/push`: a backend talks to the app itself. What was answered 200 has run, its effects included.
use std::sync::Arc;

use http::StatusCode;
use platform::requests::{PushRequest, parse_push};
use router::Failure;
use serde_json::json;

use super::{
    Asked as Request, body,
    reply::{Denied, Outcome, Refused, error, json},
    running::running,
};
use crate::{
    Handle,
    push::{self, Asked, Pushed},
    traces,
};

const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// The payload in base64 and the rest.
const BODY_BYTES_MAX: usize = 2 << 20;

/// 200 `{}`, with `"duplicate": true` if the key's push has run before; 409 `running` while it runs; 422 `handler_error` with the
/// handler's own words; 502 `handler_trapped` and `handler_limit` with the guest's backtrace, for the app's author, who alone may
/// push; 503 `unavailable`. Of whatever was not answered 200 nothing has happened, but for what may come of a 503.
pub(super) async fn push(handle: &Handle, request: Request<'_>) -> Outcome {
    request.no_query()?;
    let tenant = running(handle, request.app).await?;
    let trace = traces::given(request.headers);
    let body = body::small(request.body, BODY_BYTES_MAX).await?;
    let mut asked = parse(&body)?;
    asked.trace = trace;
    let (handle, tenant) = (handle.clone(), Arc::clone(&tenant));
    // On its own: whoever asked may hang up, and what has begun ends and is marked all the same.
    let pushed = tokio::spawn(async move { push::push(&handle, &tenant, asked).await });
    match pushed.await {
        Ok(Ok(Pushed::Done)) => Ok(json(StatusCode::OK, &json!({}))),
        Ok(Ok(Pushed::Duplicate)) => Ok(json(StatusCode::OK, &json!({ "duplicate": true }))),
        Ok(Ok(Pushed::Running)) => {
            let message = "a push with this idempotency_key runs now; send it again to learn how it ended";
            Err(error(StatusCode::CONFLICT, "running", message))
        }
        Ok(Err(failure)) => Err(refuse(&failure)),
        Err(error) => Err(refuse(&Failure::Unavailable(error.to_string()))),
    }
}

pub(crate) fn parse(body: &[u8]) -> Result<Asked, Refused> {
    let PushRequest {
        topic,
        payload,
        idempotency_key,
    } = parse_push(body).map_err(Refused::invalid)?;
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(Refused::too_big("the payload", PAYLOAD_BYTES_MAX));
    }
    Ok(Asked {
        topic,
        payload: payload.into(),
        idempotency_key,
        trace: None,
    })
}

fn refuse(failure: &Failure) -> Denied {
    let (status, code, message) = match failure {
        Failure::Returned(message) => (StatusCode::UNPROCESSABLE_ENTITY, "handler_error", message),
        Failure::Refused(refusal) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "handler_error",
            &refusal.message,
        ),
        Failure::Trapped(message) => (StatusCode::BAD_GATEWAY, "handler_trapped", message),
        Failure::Limit(message) => (StatusCode::BAD_GATEWAY, "handler_limit", message),
        Failure::Unavailable(reason) => return Refused::unavailable(reason).into(),
    };
    error(status, code, message)
}
