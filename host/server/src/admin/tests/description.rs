//! What is served of the listener's description is true.
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::harness::Node;
use crate::admin::routes::{Body, Found, ROUTES, find};

pub(super) fn description(node: &Node) -> Value {
    let answer = node.ask("GET", "/v1/openapi.json", None, b"");
    assert_eq!(answer.status, 200);
    answer.json()
}

#[test]
fn every_route_is_described_and_every_described_one_exists() {
    let node = Node::start();
    let description = description(&node);
    assert_eq!(description["openapi"], "3.1.0");
    let routes: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.path.to_owned(), route.method.as_str().to_lowercase()))
        .collect();
    assert_eq!(routes.len(), ROUTES.len(), "a route stands there twice");
    let paths = description["paths"].as_object().unwrap();
    let described: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(|method| (path.clone(), method.clone()))
        })
        .collect();
    assert_eq!(routes, described);
    for (path, method) in described {
        let method = method.to_uppercase();
        let path = path.replace(['{', '}'], "");
        let answer = node.operator(&method, &path, "");
        assert!(
            answer.status != 405 && (answer.status != 404 || answer.code() != "not_found"),
            "{method} {path}: {}",
            answer.body
        );
    }
}

#[test]
fn refusals_that_callers_are_to_be_ready_for_are_described() {
    let node = Node::start();
    let description = description(&node);
    let statuses = |path: &str, method: &str| {
        let responses = description["paths"][path][method]["responses"].as_object();
        responses.unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(
        statuses("/v1/apps/{app}/emit", "post"),
        ["200", "401", "403", "404", "409", "429", "default"]
    );
    assert_eq!(
        statuses("/v1/nodes", "get"),
        ["200", "401", "403", "429", "default"]
    );
    assert_eq!(statuses("/livez", "get"), ["200", "default"]);
}

#[test]
fn schemas_are_there_and_used() {
    let node = Node::start();
    let description = description(&node);
    let schemas = description["components"]["schemas"].as_object().unwrap();
    let text = description.to_string();
    for (name, schema) in schemas {
        assert!(schema.is_object(), "{name}");
        let reference = json!(format!("#/components/schemas/{name}")).to_string();
        assert!(text.contains(&reference), "{name} is of no use");
    }
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is missing");
    }
    for route in ROUTES {
        if let Body::Json(schema) = route.body {
            assert!(schemas.contains_key(schema));
        }
        let ids = text
            .matches(&format!("\"operationId\":\"{:?}", route.call))
            .count();
        assert!(ids >= 1);
    }
}

#[test]
fn paths_are_found_as_they_are_written() {
    let found = |path: &str| match find(path, &http::Method::GET) {
        Some(Found::Route(found)) => Some((found.route.path, found.app, found.item)),
        _ => None,
    };
    assert_eq!(
        found("/v1/apps/a%2Fb"),
        Some(("/v1/apps/{app}", "a/b".to_owned(), String::new()))
    );
    assert!(found("/v1/apps/chat/").is_none());
    assert!(found("/v1/apps/").is_none());
    assert!(found("/v1//apps").is_none());
    assert!(found("/v1/apps/%zz").is_none());
    assert!(found("/V1/apps").is_none());
    assert!(found("").is_none());
}

/// Holds a value against a schema: as much of JSON Schema as ours use.
pub(super) fn check(schemas: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return check(schemas, &schemas[name], value, place);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let null = any.iter().any(|schema| schema["type"] == "null");
        assert!(null, "{place}: only a null beside another is known here");
        let other = any.iter().find(|schema| schema["type"] != "null").unwrap();
        if !value.is_null() {
            check(schemas, other, value, place);
        }
        return;
    }
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{place}: {other}"),
    };
    let fits = match &schema["type"] {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().any(|kind| is(kind.as_str().unwrap())),
        _ => true,
    };
    assert!(fits, "{place}: {value} is not {}", schema["type"]);
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{place}: {value}");
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(
            value.get(name.as_str().unwrap()).is_some(),
            "{place}: {name} is missing: {value}"
        );
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => panic!("{place} is not described"),
            (Value::Null, other) => check(schemas, other, value, &place),
            (property, _) => check(schemas, property, value, &place),
        }
    }
    for (n, value) in value.as_array().into_iter().flatten().enumerate() {
        check(schemas, &schema["items"], value, &format!("{place}[{n}]"));
    }
}
