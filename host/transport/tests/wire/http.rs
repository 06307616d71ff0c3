//! Requests that are refused, and the shape of every answer.
use transport::Origins;

use crate::node::{Node, run};

const APP: &str = "http://app.example";

/// The transcripts were taken with CORS on, for one other origin.
async fn with_cors() -> Node {
    Node::start(|setup| setup.web.origins = Origins::parse(&[APP.to_owned()]).unwrap()).await
}

const JSON: &str =
    "access-control-allow-credentials=true content-length=N content-type=application/json vary=Origin | ";

#[test]
fn refusals_are_the_reference_servers() {
    run(async {
        let node = with_cors().await;
        for (method, target, body, expected) in [
            (
                "GET",
                "/socket.io/?transport=polling",
                "",
                r#"{"code":5,"message":"Unsupported protocol version"}"#,
            ),
            (
                "GET",
                "/socket.io/?EIO=3&transport=polling",
                "",
                r#"{"code":5,"message":"Unsupported protocol version"}"#,
            ),
            (
                "GET",
                "/socket.io/?EIO=abc&transport=polling",
                "",
                r#"{"code":5,"message":"Unsupported protocol version"}"#,
            ),
            (
                "GET",
                "/socket.io/?EIO=4&transport=abc",
                "",
                r#"{"code":0,"message":"Transport unknown"}"#,
            ),
            (
                "GET",
                "/socket.io/?EIO=4",
                "",
                r#"{"code":0,"message":"Transport unknown"}"#,
            ),
            (
                "GET",
                "/socket.io/?EIO=4&transport=polling&sid=nope",
                "",
                r#"{"code":1,"message":"Session ID unknown"}"#,
            ),
            (
                "POST",
                "/socket.io/?EIO=4&transport=polling&sid=nope",
                "40",
                r#"{"code":1,"message":"Session ID unknown"}"#,
            ),
            (
                "PUT",
                "/socket.io/?EIO=4&transport=polling&sid=nope",
                "",
                r#"{"code":1,"message":"Session ID unknown"}"#,
            ),
            (
                "POST",
                "/socket.io/?EIO=4&transport=polling",
                "40",
                r#"{"code":2,"message":"Bad handshake method"}"#,
            ),
            (
                "PUT",
                "/socket.io/?EIO=4&transport=polling",
                "",
                r#"{"code":2,"message":"Bad handshake method"}"#,
            ),
            (
                "GET",
                "/socket.io/?EIO=4&transport=websocket",
                "",
                r#"{"code":3,"message":"Bad request"}"#,
            ),
        ] {
            let reply = node.ask(method, target, &[], body).await;
            let head = JSON.replace('N', &expected.len().to_string());
            assert_eq!(reply.line(), format!("400 {head}{expected}"), "{method} {target}");
        }
        let slashless = node.get("/socket.io?EIO=4&transport=polling").await;
        assert_eq!(slashless.status, 404);
    });
}

#[test]
fn a_handshake_by_polling() {
    run(async {
        let node = with_cors().await;
        let target = "/socket.io/?EIO=4&transport=polling&t=x";
        let reply = node.ask("GET", target, &[("Origin", APP)], "").await;
        let sid = crate::peer::sid_of(&reply.text());
        assert!(
            sid.len() >= 20
                && sid
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
            "{sid}"
        );
        let packet = format!(
            r#"0{{"sid":"{sid}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}}"#
        );
        let head = "200 access-control-allow-credentials=true access-control-allow-origin=http://app.example \
                    cache-control=no-store content-length=N content-type=text/plain; charset=UTF-8 vary=Origin";
        let head = head.replace('N', &packet.len().to_string());
        assert_eq!(reply.line(), format!("{head} | {packet}"));
    });
}

#[test]
fn a_cookie_for_balancers_is_set_once() {
    run(async {
        let cookie = transport::Cookie {
            name: "io".to_owned(),
            secure: false,
        };
        let node = Node::start(|setup| setup.web.cookie = Some(cookie)).await;
        let reply = node.get("/socket.io/?EIO=4&transport=polling").await;
        let sid = crate::peer::sid_of(&reply.text());
        let expected = format!("io={sid}; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(reply.header("set-cookie"), Some(&*expected));
        assert_eq!(node.post(&sid, "40").await.header("set-cookie"), None);
    });
}

#[test]
fn odd_queries_are_answered() {
    run(async {
        let node = Node::start(|_| {}).await;
        for query in [
            "",
            "?",
            "?EIO",
            "?EIO=4&EIO=4&transport=polling&sid=%00",
            "?transport[]=polling&EIO[]=4",
            "?%ff=%",
            "?sid",
        ] {
            let reply = node.get(&format!("/socket.io/{query}")).await;
            assert_eq!(reply.status, 400, "{query}");
        }
        let reply = node
            .get("/socket.io/?EIO=4&transport=polling&__proto__=x&x=%zz")
            .await;
        assert_eq!(reply.status, 200);
    });
}

#[test]
fn drained_and_full_nodes_say_when_to_come_back() {
    run(async {
        let node = Node::start(|setup| setup.sessions_max = 1).await;
        node.open().await;
        let reply = node.get("/socket.io/?EIO=4&transport=polling").await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")));
        let reply = node
            .peer()
            .await
            .upgrade("/socket.io/?EIO=4&transport=websocket", &[])
            .await;
        assert_eq!((reply.status, reply.header("connection")), (503, Some("close")));
    });
}
