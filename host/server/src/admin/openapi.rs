//! The description of the listener (OpenAPI 3.1), made from the table of routes; what bodies and answers look like stands
//! in `schemas.json`.
use std::sync::LazyLock;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    reply::{self, Reply},
    routes::{Access, Body, Call, ROUTES, Route},
};

static DESCRIPTION: LazyLock<Value> = LazyLock::new(description);
const SCHEMAS: &str = include_str!("schemas.json");

/// `GET /v1/openapi.json`.
pub(super) fn describe() -> Reply {
    reply::json(StatusCode::OK, &DESCRIPTION)
}

fn description() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_lowercase(), operation(route));
        }
    }
    // A test reads it: it is JSON.
    let schemas: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Wakeline",
            "version": "1",
            "description": "The admin API: apps, their versions, tokens, secrets, and what a backend may do without a socket.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "wko_… (operators) or wka_… (of one app)" },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": format!("{:?}{}", route.call, if route.path.contains("{app}") { "OfApp" } else { "" }),
        "summary": route.summary,
        "parameters": parameters(route),
        "responses": responses(route),
    });
    let Some(fields) = operation.as_object_mut() else {
        return operation;
    };
    if route.access != Access::Everybody {
        fields.insert("security".to_owned(), json!([{ "token": [] }]));
    }
    if let Access::App(scope) = route.access {
        fields.insert(
            "description".to_owned(),
            json!(format!("An app's token needs the scope `{scope}`.")),
        );
    }
    let body = match route.body {
        Body::None => return operation,
        Body::Json(schema) => json!({ "application/json": { "schema": reference(schema) } }),
        Body::Bytes(content_type) => json!({ content_type: {} }),
    };
    fields.insert("requestBody".to_owned(), json!({ "content": body }));
    operation
}

fn parameters(route: &Route) -> Vec<Value> {
    let parameter = |name: &str, place: &str, required: bool| json!({ "name": name, "in": place, "required": required, "schema": { "type": "string" } });
    let segments = route.path.split('/');
    let of_path = segments.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let of_query = route.query.iter().map(|name| parameter(name, "query", false));
    of_path
        .map(|name| parameter(name, "path", true))
        .chain(of_query)
        .collect()
}

fn responses(route: &Route) -> Map<String, Value> {
    let mut responses = Map::new();
    for (status, schema) in route.answers {
        let content_type = match *schema {
            "Text" => "text/plain",
            "Events" => "text/event-stream",
            _ => "application/json",
        };
        let content = json!({ content_type: { "schema": reference(schema) } });
        let answer = json!({ "description": route.summary, "content": content });
        responses.insert(status.to_string(), answer);
    }
    let refused = |description: &str| {
        json!({
            "description": description,
            "content": { "application/json": { "schema": reference("Error") } },
        })
    };
    for (status, description) in refusals(route) {
        responses.insert(status.to_string(), refused(description));
    }
    let other = refused("It was not done: the code and the message say why.");
    responses.insert("default".to_owned(), other);
    responses
}

/// What whoever asks has to be ready for, beside what is particular to one request.
fn refusals(route: &Route) -> Vec<(u16, &'static str)> {
    const NOBODY: (u16, &str) = (401, "There is no token, or it is not valid.");
    const GUESSING: (u16, &str) = (
        429,
        "Too many wrong tokens came from this address, or another upload of the app is under way; see Retry-After.",
    );
    const TOO_MUCH: (u16, &str) = (
        429,
        "The app has used up its app_events_per_second or app_bytes_out_per_second (code rate_limited); or too many wrong \
         tokens came from this address. See Retry-After.",
    );
    const LITTLE: (u16, &str) = (403, "The token is valid and does not allow this.");
    const NO_APP: (u16, &str) = (404, "There is no such app, or none for this token.");
    const ASLEEP: (u16, &str) = (
        409,
        "The app has no live version (code no_live_version); or, of a push, one with its key runs now.",
    );
    let too_many = if route.call == Call::Emit {
        TOO_MUCH
    } else {
        GUESSING
    };
    let mut refusals = match route.access {
        Access::Everybody => Vec::new(),
        Access::Metrics | Access::AnyToken => vec![NOBODY, too_many],
        Access::Operator => vec![NOBODY, LITTLE, too_many],
        Access::App(_) => vec![NOBODY, LITTLE, NO_APP, too_many],
    };
    if matches!(route.call, Call::Emit | Call::Push | Call::Logs) {
        refusals.push(ASLEEP);
    }
    refusals
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}
