//! A backend emits to an app's clients without holding a socket. What was answered 200 is accepted: it is in the log.
use std::sync::Arc;

use backplane::Error;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use router::{Action, Delivery, Position, Target};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use socketio::EventData;

use super::reply::{Refused, Reply, json, no_app};
use crate::{Handle, apps::Tenant, traces};

/// `POST /v1/apps/{app}/emit`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Emit {
    event: String,
    /// A JSON array, the event's arguments.
    args: Box<RawValue>,
    /// Empty: the whole namespace.
    #[serde(default)]
    rooms: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default = "default_namespace")]
    namespace: String,
    /// Within the app's window a second request with the same key emits nothing and answers the first one's position.
    idempotency_key: Option<String>,
}

const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
const ROOMS_MAX: usize = 1_000;
const ROOM_BYTES_MAX: usize = 256;

pub(super) async fn emit(handle: &Handle, name: &str, request: Request<Incoming>) -> Reply {
    let Some(tenant) = handle.tenant(name) else {
        return no_app(name);
    };
    let span = traces::request(traces::given(request.headers()), name, "emit");
    let Ok(body) = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await else {
        return Refused::too_big("the body", BODY_BYTES_MAX).into();
    };
    match traces::within(span, accept(handle, &tenant, &body.to_bytes())).await {
        Ok(accepted) => json(StatusCode::OK, &accepted),
        Err(refused) => refused.into(),
    }
}

/// Appends what the body says to the app's log. What is answered then is JSON for whoever asked.
async fn accept(handle: &Handle, tenant: &Tenant, body: &[u8]) -> Result<Value, Refused> {
    let (delivery, key) = parse(body, tenant).map_err(Refused::invalid)?;
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
    let answer = match handle.tenant(app) {
        Some(tenant) => accept(handle, &tenant, payload).await,
        None => Err(Refused {
            status: StatusCode::NOT_FOUND,
            code: "no_app",
            message: format!("this cluster has no app {app:?}"),
        }),
    };
    answer.unwrap_or_else(|refused| {
        tracing::warn!(%app, code = refused.code, message = %refused.message, "an emit by NATS was refused");
        json!({ "error": { "code": refused.code, "message": refused.message } })
    })
}

fn parse(body: &[u8], tenant: &Tenant) -> Result<(Delivery, Option<String>), String> {
    let emit: Emit = serde_json::from_slice(body).map_err(|error| error.to_string())?;
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
    let rooms = emit.rooms.iter().chain(&emit.except);
    if rooms.clone().count() > ROOMS_MAX {
        return Err(format!("at most {ROOMS_MAX} rooms can be named"));
    }
    if let Some(room) = rooms
        .clone()
        .find(|room| room.is_empty() || room.len() > ROOM_BYTES_MAX)
    {
        return Err(format!(
            "a room's name has 1 to {ROOM_BYTES_MAX} bytes, not {}",
            room.len()
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

fn default_namespace() -> String {
    "/".to_owned()
}
