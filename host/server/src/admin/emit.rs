//! A backend emits to an app's clients without holding a socket. What was answered 200 is accepted: it is in the log.
use std::sync::Arc;

use backplane::Error;
use http::StatusCode;
use platform::requests::{EmitRequest, parse_emit};
use router::{Action, Delivery, Position, Target};
use serde_json::{Value, json};
use socketio::EventData;

use super::{
    Asked, body,
    reply::{Outcome, Refused, json},
    running::running,
};
use crate::{Handle, apps::Tenant, traces};

const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// `POST /v1/apps/{app}/emit`.
pub(super) async fn emit(handle: &Handle, asked: Asked<'_>) -> Outcome {
    asked.no_query()?;
    let tenant = running(handle, asked.app).await?;
    let span = traces::request(traces::given(asked.headers), asked.app, "emit");
    let body = body::small(asked.body, BODY_BYTES_MAX).await?;
    let accepted = traces::within(span, accept(handle, &tenant, &body)).await?;
    Ok(json(StatusCode::OK, &accepted))
}

/// Appends what the body says to the app's log. What is answered then is JSON for whoever asked.
async fn accept(handle: &Handle, tenant: &Tenant, body: &[u8]) -> Result<Value, Refused> {
    let (delivery, key) = parse(body, tenant).map_err(Refused::invalid)?;
    let rates = tenant.version().settings.rates;
    let admitted = tenant
        .quotas
        .clients
        .admit_emit(&rates, std::time::Instant::now());
    admitted.map_err(|limit| Refused {
        status: StatusCode::TOO_MANY_REQUESTS,
        code: "rate_limited",
        message: format!(
            "the app has used up its {} for now; send it again later",
            limit.name()
        ),
    })?;
    let appended = handle
        .backplane()
        .append(&tenant.name, vec![Arc::new(delivery)], key);
    match appended.await {
        Ok(appended) => {
            let offset = appended.offsets.first().copied().unwrap_or_default();
            let position = Position {
                epoch: appended.epoch,
                offset,
            };
            Ok(json!({ "position": position.to_string(), "duplicate": appended.duplicate }))
        }
        Err(Error::Invalid(message)) => Err(Refused::invalid(message)),
        Err(other) => Err(Refused::unavailable(other)),
    }
}

/// What a program emits by publishing on NATS: the same JSON as a body of HTTP, and the same answer if it asks for one.
pub(crate) async fn from_nats(handle: &Handle, app: &str, payload: &[u8]) -> Value {
    let answer = match running(handle, app).await {
        Ok(tenant) => accept(handle, &tenant, payload).await,
        Err(refused) => Err(refused),
    };
    answer.unwrap_or_else(|refused| {
        tracing::warn!(%app, code = refused.code, message = %refused.message, "an emit by NATS was refused");
        json!({ "error": { "code": refused.code, "message": refused.message } })
    })
}

fn parse(body: &[u8], tenant: &Tenant) -> Result<(Delivery, Option<String>), String> {
    let emit: EmitRequest = parse_emit(body)?;
    let version = tenant.version();
    let namespaces = &version.manifest.socketio.namespaces;
    let raw = [
        (version.manifest.raw.websocket.is_some(), "raw:websocket"),
        (version.manifest.raw.engineio.is_some(), "raw:engineio"),
    ];
    let is_raw = raw
        .iter()
        .any(|(there, namespace)| *there && emit.namespace == *namespace);
    if !is_raw && !namespaces.contains(&emit.namespace) {
        return Err(format!(
            "the app has no namespace {:?}; it has {}",
            emit.namespace,
            namespaces.join(", ")
        ));
    }
    let data =
        EventData::event(&emit.event, emit.args.get(), Vec::new()).map_err(|error| error.to_string())?;
    let shared = |rooms: Vec<String>| rooms.into_iter().map(Arc::from).collect();
    let target = Target {
        namespace: emit.namespace.into(),
        rooms: shared(emit.rooms),
        except: shared(emit.except),
    };
    Ok((
        Delivery {
            target,
            action: Action::Emit(data),
        },
        emit.idempotency_key,
    ))
}
