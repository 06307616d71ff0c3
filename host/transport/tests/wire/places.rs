//! Which app a request is for, and what else than sessions answers it.
use std::fs;

use crate::node::{Node, run};

#[test]
fn apps_are_found_by_host_and_by_path() {
    run(async {
        let node = Node::start(|setup| setup.config.default_app = None).await;
        let target = "/socket.io/?EIO=4&transport=polling";
        assert_eq!(
            node.ask("GET", target, &[("Host", "chat.example.com")], "")
                .await
                .status,
            200
        );
        assert_eq!(node.get(&format!("/chat{target}")).await.status, 200);
        let reply = node.get(target).await;
        assert_eq!(reply.status, 404);
        assert!(
            reply
                .text()
                .starts_with(r#"{"error":{"code":"unknown_app","message":"no app answers"#)
        );
        let reply = node.get("/chat?x=1").await;
        assert_eq!((reply.status, reply.header("location")), (301, Some("chat/?x=1")));
        // What no router would send.
        for target in ["*", "//", "/%", "http://chat.example.com/nothing"] {
            assert!(
                [400, 404].contains(&node.ask("GET", target, &[], "").await.status),
                "{target}"
            );
        }
    });
}

#[test]
fn files_lie_beside_the_sessions() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.html"), "<h1>chat</h1>").unwrap();
    fs::write(dir.path().join(".env"), "SECRET=1").unwrap();
    run(async {
        let node = Node::start(|setup| setup.web.assets = Some(dir.path().to_owned())).await;
        let reply = node.get("/").await;
        assert_eq!((reply.status, &*reply.text()), (200, "<h1>chat</h1>"));
        let tag = reply.header("etag").unwrap();
        let reply = node.ask("GET", "/", &[("If-None-Match", tag)], "").await;
        assert_eq!((reply.status, &*reply.text()), (304, ""));
        let reply = node.ask("HEAD", "/index.html", &[], "").await;
        assert_eq!((reply.status, reply.header("content-length")), (200, Some("13")));
        for target in [
            "/.env",
            "/%2eenv",
            "/../../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/socket.io",
            "/x",
        ] {
            assert_eq!(node.get(target).await.status, 404, "{target}");
        }
    });
}

#[test]
fn the_browser_client_is_served() {
    run(async {
        let node = Node::start(|_| {}).await;
        let reply = node.ask("HEAD", "/socket.io/socket.io.min.js", &[], "").await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("cache-control"), Some("public, max-age=0"));
        assert_eq!(
            reply.header("content-type"),
            Some("application/javascript; charset=utf-8")
        );
        let etag = reply.header("etag").unwrap();
        let known = [("If-None-Match", etag)];
        let reply = node.ask("GET", "/socket.io/socket.io.js", &known, "").await;
        assert_eq!((reply.status, &*reply.text()), (304, ""));
        assert_eq!(node.get("/socket.io/socket.io.msgpack.min.js").await.status, 404);
    });
}
