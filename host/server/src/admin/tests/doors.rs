//! Every route is tried by those who may not.
use platform::Scope;

use super::harness::{Node, OPERATOR};
use crate::admin::routes::{Access, Body, ROUTES, Route};

/// The route's path with something in its places.
fn path(route: &Route, app: &str) -> String {
    route
        .path
        .replace("{app}", app)
        .replace("{key}", "KEY")
        .replace("{id}", "0123456789ab")
}

fn body(route: &Route) -> &'static [u8] {
    match route.body {
        Body::None => b"",
        Body::Json(_) => b"{}",
        Body::Bytes(_) => b"x",
    }
}

#[test]
fn every_admin_route_is_tried_with_the_wrong_token() {
    let node = Node::start();
    node.app("chat");
    node.app("other");
    let others = node.token(Some("other"), &Scope::ALL);
    let revoked = node.token(Some("chat"), &Scope::ALL);
    node.wait(async {
        let platform = node.handle.platform();
        let id = platform.tokens(Some("chat")).await.unwrap().remove(0).id;
        platform.revoke_token(Some("chat"), &id, "test").await.unwrap();
    });
    let made_up = format!("wko_{}", "A".repeat(43));
    for (peer, route) in (1..).zip(ROUTES) {
        let method = route.method.as_str();
        let ask = |app: &str, token: Option<&str>| node.ask(method, &path(route, app), token, body(route));
        let said = |what: &str| format!("{method} {}: {what}", route.path);
        if route.access == Access::Everybody {
            assert!(ask("chat", None).status < 400, "{}", said("nobody"));
            continue;
        }
        if route.access != Access::Metrics {
            let nobody = ask("chat", None);
            assert_eq!(nobody.status, 401, "{}", said("nobody"));
            assert_eq!(nobody.headers["www-authenticate"], "Bearer");
        }
        for wrong in [made_up.as_str(), &revoked, "x"] {
            // Wrong tokens are damped: each route's come from elsewhere.
            let refused = node.ask_from(peer, method, &path(route, "chat"), Some(wrong), body(route));
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (401, "unauthorised"),
                "{}",
                said(wrong)
            );
        }
        others_and_less(&node, route, &others);
    }
    // None of it did anything.
    let left = node.operator("GET", "/v1/apps", "").json();
    assert_eq!(left["apps"].as_array().unwrap().len(), 2);
    assert_eq!(
        node.operator("GET", "/v1/apps/chat/versions", "").json()["versions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn every_admin_route_opens_for_its_scope_alone() {
    let node = Node::start();
    for (n, route) in ROUTES.iter().enumerate() {
        let Access::App(scope) = route.access else {
            continue;
        };
        let app = format!("app-{n}");
        node.app(&app);
        let token = node.token(Some(&app), &[scope]);
        let answer = node.ask(
            route.method.as_str(),
            &path(route, &app),
            Some(&token),
            body(route),
        );
        assert!(
            !matches!(answer.status, 401 | 403) && !answer.body.contains("\"no_app\""),
            "{} {}: {} {}",
            route.method,
            route.path,
            answer.status,
            answer.body
        );
    }
}

#[test]
fn a_log_that_is_followed_ends_when_its_token_is_revoked() {
    let node = Node::start();
    node.app("chat");
    let token = node.token(Some("chat"), &[Scope::Logs]);
    let followers = || node.handle.logs().followers();
    let told = std::thread::scope(|threads| {
        let path = "/v1/apps/chat/logs?follow=1";
        let reading = threads.spawn(|| node.ask("GET", path, Some(&token), b""));
        while followers() == 0 && !reading.is_finished() {
            std::thread::yield_now();
        }
        let listed = node.operator("GET", "/v1/apps/chat/tokens", "").json();
        let id = listed["tokens"][0]["id"].as_str().unwrap();
        let revoked = node.operator("DELETE", &format!("/v1/apps/chat/tokens/{id}"), "");
        assert_eq!(revoked.status, 200);
        reading.join().unwrap()
    });
    assert_eq!(told.status, 200);
    assert!(
        told.body.contains("event: end\ndata: {\"code\":\"unauthorised\""),
        "{}",
        told.body
    );
    assert_eq!(followers(), 0);
}

#[test]
fn an_apps_token_sees_its_app_alone() {
    let node = Node::start();
    node.app("chat");
    node.app("other");
    let token = node.token(Some("chat"), &[Scope::Read]);
    let apps = node.ask("GET", "/v1/apps", Some(&token), b"").json();
    assert_eq!(apps["apps"][0]["name"], "chat");
    assert_eq!(apps["apps"].as_array().unwrap().len(), 1);
    let who = node.ask("GET", "/v1/whoami", Some(&token), b"").json();
    assert_eq!((&who["kind"], &who["app"]), (&"app".into(), &"chat".into()));
    let metrics = node.ask("GET", "/metrics", Some(&token), b"");
    assert_eq!(metrics.status, 200);
    assert!(!metrics.body.contains("other") && !metrics.body.contains("wakeline_ready"));
    // This test is on the machine itself: a scraper there needs none.
    assert!(
        node.ask("GET", "/metrics", None, b"")
            .body
            .contains("wakeline_ready 1")
    );
    assert!(
        node.operator("GET", "/metrics", "")
            .body
            .contains("wakeline_ready 1")
    );
}

#[test]
fn ways_to_write_a_token() {
    let node = Node::start();
    let ask = |header: &str| {
        let head = format!("GET /v1/whoami HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}\r\n\r\n");
        node.raw(head.as_bytes()).status
    };
    assert_eq!(ask(&format!("Authorization: bearer {OPERATOR}")), 200);
    assert_eq!(ask(&format!("authorization: Bearer  {OPERATOR}")), 200);
    for wrong in [
        "Authorization: ",
        "Authorization: Bearer",
        "Authorization: Bearer ",
        &format!("Authorization: Basic {OPERATOR}"),
        &format!("Authorization: {OPERATOR}"),
        &format!("X-Authorization: Bearer {OPERATOR}"),
        "Authorization: Bearer \u{e9}",
    ] {
        assert_eq!(ask(wrong), 401, "{wrong}");
    }
    // A token in the query is none: it would stand in logs.
    let head = format!("GET /v1/whoami?token={OPERATOR} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(node.raw(head.as_bytes()).status, 401);
}

#[test]
fn guessing_is_damped_and_holds_up_nobody_who_is_known() {
    let node = Node::start();
    node.app("chat");
    let known = node.token(Some("chat"), &[Scope::Read]);
    assert_eq!(node.ask("GET", "/v1/whoami", Some(&known), b"").status, 200);
    let guess = |n: usize| {
        node.ask("GET", "/v1/whoami", Some(&format!("wka_{n:043}")), b"")
            .status
    };
    let first = (0..200).find(|n| guess(*n) == 429);
    assert!(first.is_some_and(|first| first >= 20), "{first:?}");
    assert_eq!(node.ask("GET", "/v1/whoami", Some(&known), b"").status, 200);
    assert_eq!(node.operator("GET", "/v1/whoami", "").status, 200);
}

/// Tokens of another app, and of this one without the scope.
fn others_and_less(node: &Node, route: &Route, others: &str) {
    let method = route.method.as_str();
    let ask = |app: &str, token: Option<&str>| node.ask(method, &path(route, app), token, body(route));
    let said = |what: &str| format!("{method} {}: {what}", route.path);
    match route.access {
        Access::Operator => {
            let refused = ask("chat", Some(others));
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (403, "forbidden"),
                "{}",
                said("an app's")
            );
        }
        Access::App(scope) => {
            // As if there were no such app.
            let refused = ask("chat", Some(others));
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (404, "no_app"),
                "{}",
                said("another app's")
            );
            let missing = ask("nobody", Some(others));
            assert_eq!(missing.status, refused.status);
            assert_eq!(
                missing.body,
                refused.body.replace("chat", "nobody"),
                "{}",
                said("tells them apart")
            );
            assert_eq!(missing.headers.len(), refused.headers.len());

            let scopes: Vec<_> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
            let lacking = node.token(Some("chat"), &scopes);
            let refused = ask("chat", Some(&lacking));
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (403, "forbidden"),
                "{}",
                said("no scope")
            );
            assert!(refused.body.contains(&scope.to_string()), "{}", refused.body);
        }
        Access::Everybody | Access::AnyToken | Access::Metrics => {}
    }
}
