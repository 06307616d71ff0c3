use tokio::io::AsyncWriteExt;

use super::{Memory, serves};
use crate::{
    node::{Node, run},
    peer::{Peer, request},
};

/// Sends a body of 256 MiB, or as much as is taken.
async fn pour(peer: &mut Peer, chunked: bool) {
    let mut piece = "x".repeat(64 << 10);
    if chunked {
        piece = format!("{:x}\r\n{piece}\r\n", piece.len());
    }
    for _ in 0..4 << 10 {
        if peer.tcp.write_all(piece.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[test]
fn cve_2020_36048_a_big_poll_body_is_refused_and_not_kept() {
    run(async {
        let node = Node::start(|_| {}).await;
        let sid = node.open().await;
        assert_eq!(node.post(&sid, &"4".repeat(1_001)).await.status, 413);
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        let memory = Memory::now();
        for length in [("Content-Length", "268435456"), ("Transfer-Encoding", "chunked")] {
            for target in [&target, &target.replace(&sid, "nope")] {
                let mut peer = node.peer().await;
                peer.send(request("POST", target, &[length], "")).await;
                pour(&mut peer, length.1 == "chunked").await;
            }
        }
        memory.grew_less_than(16);
        assert_eq!(node.post(&sid, "40").await.text(), "ok");
        serves(&node).await;
    });
}

#[test]
fn cve_2023_31125_malformed_requests_are_answered() {
    run(async {
        let node = Node::start(|_| {}).await;
        for query in [
            "",
            "?",
            "?EIO",
            "?EIO=",
            "?EIO=NaN&transport=polling",
            "?EIO=99999999999999999999&transport=polling",
            "?EIO=-4&transport=polling",
            "?EIO[]=4&transport=polling",
            "?EIO=4",
            "?EIO=4&transport=",
            "?EIO=4&transport=__proto__",
            "?EIO=4&transport=constructor",
            "?EIO=4&transport[]=polling",
            "?EIO=4&transport=polling&sid=__proto__",
            "?EIO=4&transport=polling&sid=%00%ff",
            "?%ff=%&&&===",
        ] {
            let target = format!("/socket.io/{query}");
            for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
                let reply = node.ask(method, &target, &[], "").await;
                assert!(
                    (400..500).contains(&reply.status),
                    "{method} {query}: {}",
                    reply.line()
                );
            }
            let reply = node.peer().await.upgrade(&target, &[]).await;
            assert!((400..500).contains(&reply.status), "{query}: {}", reply.line());
        }
        for body in [
            "",
            "\u{1e}",
            "4\u{1e}\u{1e}",
            "b",
            "b====",
            "b!",
            "\0",
            "é",
            "4{",
            "9",
            "0",
            "6",
        ] {
            let sid = node.open().await;
            let reply = node.post(&sid, body).await;
            assert!(reply.status < 500, "{body:?}: {}", reply.line());
        }
        serves(&node).await;
    });
}
