//! Those who ask too much, or too slowly. Bounds are short here; what is waited for is their effect.
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::{
    node::{Node, run},
    peer::request,
};

const SOON: Duration = Duration::from_millis(50);

#[test]
fn too_large_a_post_is_refused_and_the_session_lives() {
    run(async {
        let node = Node::start(|_| {}).await;
        let sid = node.open().await;
        let reply = node.post(&sid, &format!("4{}", "x".repeat(1000))).await;
        assert_eq!(reply.line(), "413 content-length=0");
        // Much more than is allowed, declared and then sent: the answer arrives all the same.
        let reply = node.post(&sid, &"x".repeat(4_000_000)).await;
        assert_eq!(reply.line(), "413 content-length=0");
        // In chunks, nothing declared.
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        let mut peer = node.peer().await;
        peer.send(request("POST", &target, &[("Transfer-Encoding", "chunked")], ""))
            .await;
        for _ in 0..3 {
            peer.send(format!("190\r\n{}\r\n", "x".repeat(400))).await;
        }
        assert_eq!(peer.reply(false).await.status, 413);
        assert_eq!(
            node.post("nope", &"x".repeat(4000)).await.text(),
            r#"{"code":1,"message":"Session ID unknown"}"#
        );
        assert_eq!(node.post(&sid, "40").await.text(), "ok");
    });
}

#[test]
fn a_slow_post_is_given_up() {
    run(async {
        let node = Node::start(|setup| setup.config.body_read_timeout = SOON).await;
        let sid = node.open().await;
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        let mut peer = node.peer().await;
        peer.send(request("POST", &target, &[("Content-Length", "10")], ""))
            .await;
        peer.send("4").await;
        let reply = peer.reply(false).await;
        assert_eq!((reply.status, reply.header("connection")), (408, Some("close")));
        peer.ended().await;
        assert_eq!(node.post(&sid, "40").await.text(), "ok");
    });
}

#[test]
fn slow_heads_and_silence_are_cut() {
    run(async {
        let node = Node::start(|setup| {
            setup.config.header_read_timeout = SOON;
            setup.config.keep_alive_timeout = SOON;
        })
        .await;
        for words in [
            "",
            "G",
            "GET / HTTP/1.1\r\nHost: x\r\nX-",
            "PRI * HTTP/2.0\r\n\r\nSM",
        ] {
            let mut peer = node.peer().await;
            peer.send(words).await;
            peer.ended().await;
        }
        let mut idle = node.peer().await;
        idle.ask("GET", "/nothing", &[], "").await;
        idle.ended().await;
    });
}

#[test]
fn a_poll_is_not_idle() {
    run(async {
        let node = Node::start(|setup| {
            setup.config.keep_alive_timeout = SOON;
            setup.engine.ping_interval = SOON * 4;
        })
        .await;
        let sid = node.open().await;
        assert_eq!(node.poll(&sid).await.text(), "2");
    });
}

#[test]
fn too_many_headers_are_refused() {
    run(async {
        let node = Node::start(|_| {}).await;
        let many: Vec<_> = (0..2000).map(|_| ("X-A", "b")).collect();
        let reply = node.ask("GET", "/", &many, "").await;
        assert_eq!(reply.status, 431);
        let long = "x".repeat(100_000);
        let mut peer = node.peer().await;
        let _ = peer
            .tcp
            .write_all(request("GET", "/", &[("X-A", &long)], "").as_bytes())
            .await;
        peer.ended().await;
    });
}

#[test]
fn one_connection_too_many_is_told() {
    run(async {
        let one = std::sync::Arc::new(tokio::sync::Semaphore::new(1));
        let node = Node::start(|setup| setup.config.connections = one).await;
        let _socket = node.joined().await;
        let mut peer = node.peer().await;
        assert_eq!(peer.reply(false).await.status, 503);
        peer.ended().await;
    });
}

#[test]
fn a_reader_that_takes_nothing_is_cut() {
    run(async {
        let node = Node::start(|setup| setup.config.write_timeout = SOON).await;
        let free = node.connections.available_permits();
        let mut peer = node.joined().await;
        // More than the kernel's buffers take.
        let kernel = kernel_buffers();
        for _ in 0..=kernel / 50_000 {
            if peer
                .tcp
                .write_all(&crate::peer::frame(0x81, b"42[\"flood\",100]"))
                .await
                .is_err()
            {
                break;
            }
        }
        while node.connections.available_permits() < free {
            tokio::time::sleep(SOON).await;
        }
    });
}

/// Bytes that loopback may hold for a reader who does not read: 6 MiB of receive buffer, 4 of send buffer.
fn kernel_buffers() -> usize {
    12 << 20
}

#[test]
fn pings_are_answered_without_end_but_not_without_bound() {
    run(async {
        let node = Node::start(|setup| {
            setup.config.write_timeout = SOON;
            // By default they are slowed down, long before the buffers are full.
            setup.rates.events_per_second = u64::MAX / 2;
            setup.rates.app_events_per_second = u64::MAX / 2;
        })
        .await;
        let free = node.connections.available_permits();
        let mut peer = node.joined().await;
        let flood: Vec<u8> = (0..1000)
            .flat_map(|_| crate::peer::frame(0x89, &[0; 125]))
            .collect();
        // Never reads a pong: is cut when the kernel's buffers are full.
        while peer.tcp.write_all(&flood).await.is_ok() {}
        drop(peer);
        while node.connections.available_permits() < free {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn resets_in_mid_upgrade_harm_nobody() {
    run(async {
        let node = Node::start(|_| {}).await;
        let headers = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let words = request("GET", "/socket.io/?EIO=4&transport=websocket", &headers, "");
        for _ in 0..300 {
            let mut peer = node.peer().await;
            peer.send(&words).await;
            peer.tcp.set_zero_linger().unwrap();
        }
        let mut peer = node.joined().await;
        peer.send_text("42[\"echo\",1]").await;
        assert_eq!(peer.text().await, "42[\"echo-back\",1]");
    });
}

#[test]
fn a_stopping_node_lets_everybody_end() {
    run(async {
        let mut node = Node::start(|_| {}).await;
        let mut idle = node.peer().await;
        idle.ask("GET", "/nothing", &[], "").await;
        let sid = node.open().await;
        let mut pending = node.peer().await;
        pending
            .send(request(
                "GET",
                &format!("/socket.io/?EIO=4&transport=polling&sid={sid}"),
                &[],
                "",
            ))
            .await;
        let mut socket = node.joined().await;
        node.begin_stop();
        idle.ended().await;
        // Others go on until the hub ends them.
        socket.send_text("42[\"echo\",1]").await;
        assert_eq!(socket.text().await, "42[\"echo-back\",1]");
        socket.send_text("42[\"drop\"]").await;
        assert_eq!(socket.closed().await, 1005);
        drop(pending);
        node.stop().await;
    });
}
