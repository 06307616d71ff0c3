use tokio::io::AsyncWriteExt;

use super::{Memory, serves};
use crate::{
    node::{Node, run},
    peer::request,
};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

fn upgrade(more: &[(&str, &str)]) -> String {
    let mut headers = vec![
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    headers.extend_from_slice(more);
    request("GET", WEBSOCKET, &headers, "")
}

/// No CVE was given: `ws` before 3.3.1 took `__proto__` for an extension of its own.
#[test]
fn ws_2017_odd_extensions_are_read_by_nobody() {
    run(async {
        let node = Node::start(|_| {}).await;
        let many = "permessage-deflate; client_max_window_bits=15, ".repeat(200);
        for odd in [
            "__proto__",
            "constructor; toString=1, hasOwnProperty",
            "permessage-deflate; client_max_window_bits=; =; ;",
            "permessage-deflate; a=\"",
            ",,,,;;;;====\"\"\\",
            "é\u{1f600}",
            "",
            &many,
        ] {
            for name in ["Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"] {
                let mut peer = node.peer().await;
                let reply = peer.upgrade(WEBSOCKET, &[(name, odd)]).await;
                assert_eq!(reply.status, 101, "{name}: {odd}");
                assert_eq!(reply.header("sec-websocket-extensions"), None);
                assert!(peer.text().await.starts_with("0{\"sid\":"));
            }
        }
        serves(&node).await;
    });
}

/// A regular expression once took the square of their number.
#[test]
fn cve_2021_32640_spaces_in_the_protocol_header_cost_their_length() {
    run(async {
        let node = Node::start(|setup| setup.config.head_bytes_max = 128 << 10).await;
        let odd = format!("b{}x", " ".repeat(100_000));
        let commas = format!("b{}x", " , ".repeat(30_000));
        for _ in 0..20 {
            for odd in [&odd, &commas] {
                let mut peer = node.peer().await;
                let reply = peer.upgrade(WEBSOCKET, &[("Sec-WebSocket-Protocol", odd)]).await;
                assert_eq!(reply.status, 101);
            }
        }
        serves(&node).await;
    });
}

#[test]
fn cve_2022_41940_resets_in_mid_upgrade_crash_nothing() {
    run(async {
        let node = Node::start(|_| {}).await;
        let free = node.connections.available_permits();
        let words = upgrade(&[]);
        for cut in 0..3_000 {
            let mut peer = node.peer().await;
            // Anywhere in the head; or right behind it, the answer unread.
            let part = words.as_bytes().iter().take(cut % (words.len() + 50));
            peer.send(part.copied().collect::<Vec<_>>()).await;
            peer.tcp.set_zero_linger().unwrap();
            drop(peer);
            // The accept loop shares this thread.
            tokio::task::yield_now().await;
        }
        while node.connections.available_permits() < free {
            tokio::task::yield_now().await;
        }
        serves(&node).await;
    });
}

#[test]
fn cve_2024_37890_too_many_headers_on_an_upgrade_are_refused() {
    run(async {
        let node = Node::start(|setup| setup.config.head_bytes_max = 128 << 10).await;
        let names: Vec<_> = (0..2_000).map(|index| format!("X-{index}")).collect();
        let headers = |count| {
            names
                .iter()
                .take(count)
                .map(|name| (name.as_str(), "x"))
                .collect::<Vec<_>>()
        };
        for count in [97, 2_000] {
            let mut peer = node.peer().await;
            let reply = peer.upgrade(WEBSOCKET, &headers(count)).await;
            assert_eq!(reply.status, 431, "{count}");
            peer.ended().await;
        }
        // With the five of the handshake these are the 100 that are allowed.
        let reply = node.peer().await.upgrade(WEBSOCKET, &headers(95)).await;
        assert_eq!(reply.status, 101);
        serves(&node).await;
    });
}

/// `CORS` does not bind WebSockets, and browsers send cookies along.
#[test]
fn cve_2019_13611_foreign_pages_do_not_ride_on_a_visitors_cookie() {
    run(async {
        let node = Node::start(|_| {}).await;
        let sid = node.open().await;
        let mut socket = node.joined().await;
        for origin in [
            "http://evil.example",
            "http://localhost:3001",
            "http://localhost",
            "null",
            "x",
        ] {
            let headers = [("Origin", origin), ("Cookie", "session=the-visitors")];
            for target in [WEBSOCKET, "/ws", "/engine.io/?EIO=4&transport=websocket"] {
                let reply = node.peer().await.upgrade(target, &headers).await;
                assert_eq!(
                    (reply.status, &*reply.text()),
                    (400, "Forbidden"),
                    "{origin} {target}"
                );
            }
            // Not even who knows a session's id.
            let target = format!("{POLLING}&sid={sid}");
            for (method, body) in [("GET", ""), ("POST", "40"), ("POST", "1")] {
                assert_eq!(
                    node.ask(method, &target, &headers, body).await.status,
                    403,
                    "{origin}"
                );
            }
            let reply = node
                .peer()
                .await
                .upgrade(&target.replace("polling", "websocket"), &headers)
                .await;
            assert_eq!(reply.status, 400);
        }
        assert_eq!(node.post(&sid, "40").await.text(), "ok");
        socket.send_text("42[\"echo\",1]").await;
        assert_eq!(socket.text().await, "42[\"echo-back\",1]");
        serves(&node).await;
    });
}

/// What nobody configured allows nobody: `*` was the default once.
#[test]
fn cve_2020_28481_no_foreign_origin_is_allowed_by_default() {
    run(async {
        let node = Node::start(|_| {}).await;
        for origin in [
            "http://evil.example",
            "null",
            "*",
            "http://localhost:3000.evil.example",
        ] {
            let headers = [("Origin", origin)];
            let reply = node.ask("GET", POLLING, &headers, "").await;
            assert_eq!(reply.status, 403, "{origin}");
            for (name, _) in &reply.headers {
                assert!(!name.starts_with("access-control-"), "{origin}: {name}");
            }
            let preflight = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
            let reply = node.ask("OPTIONS", POLLING, &preflight, "").await;
            assert!(reply.status >= 400, "{origin}");
            assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}");
            assert_eq!(
                node.peer().await.upgrade(WEBSOCKET, &headers).await.status,
                400,
                "{origin}"
            );
        }
        let own = [("Origin", "http://localhost:3000")];
        assert_eq!(node.ask("GET", POLLING, &own, "").await.status, 200);
        assert_eq!(node.peer().await.upgrade(WEBSOCKET, &own).await.status, 101);
        serves(&node).await;
    });
}

/// tungstenite's own handshake read heads again with each piece, without an end.
#[test]
fn cve_2023_43669_a_head_that_does_not_end_is_cut() {
    run(async {
        let node = Node::start(|_| {}).await;
        let memory = Memory::now();
        let words = upgrade(&[]);
        let open = words.strip_suffix("\r\n").unwrap();
        for piece in [1_usize, 7, 1_000, 60_000] {
            for start in ["X-A: ", "X-"] {
                let mut peer = node.peer().await;
                peer.send(open).await;
                peer.send(start).await;
                let bytes = vec![b'a'; piece];
                let mut sent = 0;
                // It is refused by 16 KiB and the size of a read.
                while sent < 64 << 20 && peer.tcp.write_all(&bytes).await.is_ok() {
                    sent += piece;
                    tokio::task::yield_now().await;
                }
                assert!(sent < 64 << 20, "{piece}");
                peer.ended().await;
            }
        }
        memory.grew_less_than(16);
        serves(&node).await;
    });
}
