//! Who may connect from where: checked on both transports alike, which the reference server does not.
use transport::Origins;

use crate::node::{Node, run};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

async fn allowing(origins: &[&str]) -> Node {
    let origins: Vec<_> = origins.iter().map(ToString::to_string).collect();
    Node::start(|setup| setup.web.origins = Origins::parse(&origins).unwrap()).await
}

#[test]
fn preflight() {
    run(async {
        let node = allowing(&["http://app.example"]).await;
        let headers = [
            ("Origin", "http://app.example"),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "x-foo"),
        ];
        let reply = node.ask("OPTIONS", POLLING, &headers, "").await;
        assert_eq!(reply.status, 204);
        for (name, value) in [
            ("access-control-allow-origin", "http://app.example"),
            ("vary", "Origin, Access-Control-Request-Headers"),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE"),
            ("access-control-allow-headers", "x-foo"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{name}");
        }
        let foreign = node
            .ask("OPTIONS", POLLING, &[("Origin", "http://evil.example")], "")
            .await;
        assert_eq!(
            (foreign.status, foreign.header("access-control-allow-origin")),
            (403, None)
        );
    });
}

#[test]
fn without_a_list_options_is_no_handshake() {
    run(async {
        let node = allowing(&[]).await;
        let reply = node
            .ask("OPTIONS", POLLING, &[("Origin", "http://localhost:3000")], "")
            .await;
        assert_eq!(
            (reply.status, &*reply.text()),
            (400, r#"{"code":2,"message":"Bad handshake method"}"#)
        );
        assert_eq!(reply.header("vary"), None);
    });
}

#[test]
fn foreign_pages_are_refused() {
    run(async {
        for node in [allowing(&[]).await, allowing(&["http://app.example"]).await] {
            let evil = [("Origin", "http://evil.example")];
            let reply = node.ask("GET", POLLING, &evil, "").await;
            assert_eq!(
                (reply.status, &*reply.text()),
                (403, r#"{"code":4,"message":"Forbidden"}"#)
            );
            assert_eq!(reply.header("access-control-allow-origin"), None);
            let reply = node.peer().await.upgrade(WEBSOCKET, &evil).await;
            assert_eq!((reply.status, &*reply.text()), (400, "Forbidden"));
            let reply = node.peer().await.upgrade("/ws", &evil).await;
            assert_eq!((reply.status, &*reply.text()), (400, "Forbidden"));
        }
    });
}

#[test]
fn own_and_listed_pages_connect() {
    run(async {
        let node = allowing(&["http://app.example", "https://*.example.org"]).await;
        for (origin, echoed) in [
            ("http://localhost:3000", None),
            ("http://app.example", Some("http://app.example")),
            ("https://a.example.org", Some("https://a.example.org")),
        ] {
            let reply = node.ask("GET", POLLING, &[("Origin", origin)], "").await;
            assert_eq!(
                (reply.status, reply.header("access-control-allow-origin")),
                (200, echoed)
            );
            let reply = node.peer().await.upgrade(WEBSOCKET, &[("Origin", origin)]).await;
            assert_eq!(
                (reply.status, reply.header("access-control-allow-origin")),
                (101, echoed)
            );
            assert_eq!(reply.header("vary"), Some("Origin"));
        }
        // The browser can read why it was refused.
        let reply = node
            .ask(
                "GET",
                "/socket.io/?EIO=3&transport=polling",
                &[("Origin", "http://app.example")],
                "",
            )
            .await;
        assert_eq!(
            (reply.status, reply.header("access-control-allow-origin")),
            (400, Some("http://app.example"))
        );
    });
}

#[test]
fn a_star_gives_no_credentials() {
    run(async {
        let node = allowing(&["*"]).await;
        let reply = node
            .ask("GET", POLLING, &[("Origin", "http://any.example")], "")
            .await;
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert_eq!(reply.header("access-control-allow-credentials"), None);
    });
}

#[test]
fn malformed_origins_are_bad_requests() {
    run(async {
        let node = allowing(&["*"]).await;
        let reply = node
            .ask(
                "GET",
                POLLING,
                &[("Origin", "http://a"), ("Origin", "http://b")],
                "",
            )
            .await;
        assert_eq!(
            (reply.status, &*reply.text()),
            (400, r#"{"code":3,"message":"Bad request"}"#)
        );
    });
}
