use crate::node::{Node, run};

fn raw(message: &str) -> String {
    format!(
        "400 connection=close content-length={} content-type=text/html | {message}",
        message.len()
    )
}

#[test]
fn refused_upgrades_are_bare_and_end_the_connection() {
    run(async {
        let node = Node::start(|_| {}).await;
        for (target, message) in [
            (
                "/socket.io/?EIO=4&transport=websocket&sid=nope",
                "Session ID unknown",
            ),
            ("/socket.io/?EIO=4&transport=abc", "Transport unknown"),
            // The reference server answers 101 first.
            (
                "/socket.io/?EIO=3&transport=websocket",
                "Unsupported protocol version",
            ),
            ("/socket.io/?EIO=4&transport=polling", "Bad request"),
        ] {
            let mut peer = node.peer().await;
            let reply = peer.upgrade(target, &[]).await;
            assert_eq!(reply.line(), raw(message), "{target}");
            peer.ended().await;
        }
        let reply = node.peer().await.upgrade("/nowhere", &[]).await;
        assert_eq!(reply.status, 404);
    });
}

#[test]
fn odd_handshakes_are_refused() {
    run(async {
        let node = Node::start(|_| {}).await;
        let target = "/socket.io/?EIO=4&transport=websocket";
        for key in ["", "short", "dGhlIHNhbXBsZSBub25jZQ", "!!!!!!!!!!!!!!!!!!!!!!!!"] {
            let reply = node
                .peer()
                .await
                .upgrade(target, &[("Sec-WebSocket-Key", key)])
                .await;
            assert_eq!(reply.line(), raw("Bad request"), "{key}");
        }
        let reply = node
            .peer()
            .await
            .upgrade(target, &[("Sec-WebSocket-Version", "8")])
            .await;
        assert_eq!(
            (reply.status, reply.header("sec-websocket-version")),
            (426, Some("13"))
        );
        // Long and odd lists cost nothing.
        let odd = " ".repeat(8000);
        let extensions = "permessage-deflate; a=; __proto__; ,,;=\"";
        let headers = [
            ("Sec-WebSocket-Protocol", &*odd),
            ("Sec-WebSocket-Extensions", extensions),
        ];
        let reply = node.peer().await.upgrade(target, &headers).await;
        assert_eq!(
            (reply.status, reply.header("sec-websocket-extensions")),
            (101, None)
        );
    });
}

#[test]
fn the_handshake_is_answered() {
    run(async {
        let node = Node::start(|_| {}).await;
        let mut peer = node.peer().await;
        let reply = peer
            .upgrade(
                "/socket.io/?EIO=4&transport=websocket",
                &[("Sec-WebSocket-Protocol", "a.b, c")],
            )
            .await;
        let line = "101 connection=Upgrade sec-websocket-accept=s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \
                    sec-websocket-protocol=a.b upgrade=websocket";
        assert_eq!(reply.line(), line);
        let open = peer.text().await;
        let sid = crate::peer::sid_of(&open);
        let expected = format!(
            r#"0{{"sid":"{sid}","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}}"#
        );
        assert_eq!(open, expected);
    });
}

/// A request that comes whole and one that comes in pieces are read by different code.
#[test]
fn a_request_in_pieces_is_answered_like_a_whole_one() {
    run(async {
        let node = Node::start(|_| {}).await;
        let headers = [
            ("Connection", "keep-alive, Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Protocol", "a.b"),
        ];
        let target = "/socket.io/?EIO=4&transport=websocket";
        let mut words = crate::peer::request("GET", target, &headers, "").into_bytes();
        // Clients that do not wait for the 101 are heard all the same.
        words.extend(crate::peer::frame(0x81, b"40"));
        let head_bytes = words.len() - 8;
        for first in [1, 20, head_bytes - 1, head_bytes, words.len() - 1, words.len()] {
            let mut peer = node.peer().await;
            let (before, after) = words.split_at(first);
            peer.send(before).await;
            // The answer to another client: what came before it has been looked at.
            node.open().await;
            peer.send(after).await;
            let reply = peer.reply(false).await;
            assert_eq!(
                reply.line(),
                "101 connection=Upgrade sec-websocket-accept=s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \
                 sec-websocket-protocol=a.b upgrade=websocket",
                "{first}"
            );
            assert!(peer.text().await.starts_with("0{\"sid\":"));
            assert!(peer.text().await.starts_with("40{\"sid\":"));
        }
    });
}

#[test]
fn a_session_moves_to_a_websocket() {
    run(async {
        let node = Node::start(|_| {}).await;
        let sid = node.open().await;
        node.post(&sid, "40").await;
        node.poll(&sid).await;
        let target = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
        let mut socket = node.websocket(&target).await;
        let mut pending = node.peer().await;
        pending
            .send(crate::peer::request(
                "GET",
                &target.replace("websocket", "polling"),
                &[],
                "",
            ))
            .await;
        socket.send_text("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        let released = pending.reply(false).await;
        assert_eq!((released.status, &*released.text()), (200, "6"));
        socket.send_text("5").await;
        socket.send_text("42[\"echo\",1]").await;
        assert_eq!(socket.text().await, "42[\"echo-back\",1]");

        let late = node.poll(&sid).await;
        assert_eq!(
            (late.status, &*late.text()),
            (400, r#"{"code":3,"message":"Bad request"}"#)
        );
        let mut second = node.websocket(&target).await;
        assert_eq!(second.closed().await, 1005);
        socket.send_text("42[\"echo\",2]").await;
        assert_eq!(socket.text().await, "42[\"echo-back\",2]");
    });
}

#[test]
fn plain_and_bare_sockets_echo() {
    run(async {
        let node = Node::start(|_| {}).await;
        let mut plain = node.websocket("/ws").await;
        plain.send_text("hi").await;
        assert_eq!(plain.text().await, "hi");
        plain.send_frame(0x82, &[0, 159, 146, 150]).await;
        assert_eq!(plain.frame().await.unwrap().payload, [0, 159, 146, 150]);
        assert_eq!(node.get("/ws").await.status, 426);

        let mut bare = node.websocket("/engine.io/?EIO=4&transport=websocket").await;
        assert!(bare.text().await.starts_with("0{\"sid\""));
        bare.send_text("4hello").await;
        assert_eq!(bare.text().await, "4hello");
        bare.send_frame(0x82, &[1, 2, 3]).await;
        assert_eq!(bare.frame().await.unwrap().payload, [1, 2, 3]);
    });
}

#[test]
fn bytes_that_come_with_the_request_are_read() {
    run(async {
        let node = Node::start(|_| {}).await;
        let mut peer = node.peer().await;
        let headers = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut bytes = crate::peer::request("GET", "/ws", &headers, "").into_bytes();
        bytes.extend(crate::peer::frame(0x81, b"early"));
        peer.send(bytes).await;
        assert_eq!(peer.reply(false).await.status, 101);
        assert_eq!(peer.text().await, "early");
    });
}
