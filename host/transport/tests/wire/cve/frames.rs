use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::{Memory, serves};
use crate::{
    node::{Node, run},
    peer::{Peer, frame, request},
};

const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// The header of a masked binary frame, of whose payload nothing follows.
fn declared(length: u64) -> Vec<u8> {
    let mut header = vec![0x82, 0xff];
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(&[1, 2, 3, 4]);
    header
}

/// As [`Peer::closed`], whatever messages come before.
async fn closed(peer: &mut Peer) -> Vec<u8> {
    loop {
        let frame = peer.frame().await.expect("a close frame, not the end");
        if frame.opcode == 8 {
            assert_eq!(peer.frame().await, None);
            return frame.payload;
        }
    }
}

#[test]
fn cve_2016_10542_a_frame_declared_enormous_is_refused_unread() {
    run(async {
        let node = Node::start(|_| {}).await;
        let memory = Memory::now();
        for length in [1001, 1 << 30, 1 << 40, i64::MAX as u64, 1 << 63, u64::MAX] {
            let mut peer = node.joined().await;
            peer.send(declared(length)).await;
            assert_eq!(peer.closed().await, 1009, "{length}");
        }
        memory.grew_less_than(16);
        serves(&node).await;
    });
}

#[test]
fn cve_2022_35922_a_declared_length_costs_nothing_until_it_comes() {
    run(async {
        let node = Node::start(|setup| setup.engine.max_payload_bytes = 8 << 20).await;
        let memory = Memory::now();
        let mut stalled = Vec::new();
        for _ in 0..100 {
            let mut peer = node.joined().await;
            peer.send(declared(8 << 20)).await;
            peer.send([0; 1000]).await;
            stalled.push(peer);
        }
        serves(&node).await;
        memory.grew_less_than(64);
    });
}

#[test]
fn cve_2022_21676_reserved_bits_right_after_the_upgrade_are_refused() {
    run(async {
        let node = Node::start(|_| {}).await;
        let headers = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        for target in [WEBSOCKET, "/ws", "/engine.io/?EIO=4&transport=websocket"] {
            for first_byte in [0xc1, 0xa1, 0x91, 0xb1, 0xf1, 0xf9, 0xf8] {
                let mut bytes = request("GET", target, &headers, "").into_bytes();
                bytes.extend(frame(first_byte, b"40"));
                let mut peer = node.peer().await;
                peer.send(bytes).await;
                assert_eq!(peer.reply(false).await.status, 101);
                assert_eq!(closed(&mut peer).await, 1002_u16.to_be_bytes(), "{first_byte:x}");
            }
        }
        serves(&node).await;
    });
}

/// A million of them, with one byte and with none.
#[test]
fn cve_2026_48779_tiny_fragments_cost_their_bytes() {
    run(async {
        let node = Node::start(|setup| setup.engine.max_payload_bytes = 500_000).await;
        let memory = Memory::now();
        let mut peer = node.joined().await;
        peer.send_frame(0x02, &[0]).await;
        let flood: Vec<u8> = (0..10_000).flat_map(|_| frame(0x00, &[0])).collect();
        for _ in 0..50 {
            peer.send(&flood).await;
        }
        assert_eq!(peer.closed().await, 1009);

        let mut peer = node.joined().await;
        peer.send_frame(0x01, b"42[\"ec").await;
        let flood: Vec<u8> = (0..10_000).flat_map(|_| frame(0x00, b"")).collect();
        for _ in 0..50 {
            peer.send(&flood).await;
        }
        peer.send_frame(0x80, b"ho\",1]").await;
        assert_eq!(peer.text().await, "42[\"echo-back\",1]");
        memory.grew_less_than(16);
        serves(&node).await;
    });
}

/// Every byte of a control frame that we send is one that we chose, or that the peer sent.
#[test]
fn cve_2026_45736_close_frames_and_pongs_hold_nothing_else() {
    run(async {
        let node = Node::start(|_| {}).await;
        let mut peer = node.joined().await;
        for size in 0..=125_u8 {
            let said: Vec<u8> = (0..size).collect();
            peer.send_frame(0x89, &said).await;
            let pong = peer.frame().await.unwrap();
            assert_eq!((pong.opcode, pong.payload), (10, said));
        }
        for (sent, answered) in [
            (declared(1 << 40), &1009_u16.to_be_bytes()[..]),
            (frame(0xb1, b"reserved"), &1002_u16.to_be_bytes()[..]),
            (frame(0x81, &[0xff]), &1007_u16.to_be_bytes()[..]),
            (frame(0x81, b"42[\"drop\"]"), &[]),
            (frame(0x88, &[]), &[]),
            (frame(0x88, &[3]), &1002_u16.to_be_bytes()[..]),
        ] {
            let mut peer = node.joined().await;
            peer.send(sent).await;
            assert_eq!(closed(&mut peer).await, answered);
        }
        // A reason is given back as it came, or not at all.
        let mut peer = node.joined().await;
        let said = [&1000_u16.to_be_bytes()[..], &[b'r'; 123]].concat();
        peer.send_frame(0x88, &said).await;
        assert!(said.starts_with(&closed(&mut peer).await));
        serves(&node).await;
    });
}

/// 250 MB are asked for.
#[test]
fn rustsec_2020_0043_a_reader_that_takes_nothing_is_owed_a_bounded_queue() {
    run(async {
        let node = Node::start(|setup| {
            setup.config.write_timeout = Duration::from_millis(200);
            setup.config.close_timeout = Duration::from_millis(200);
        })
        .await;
        let free = node.connections.available_permits();
        let memory = Memory::now();
        let mut peer = node.joined().await;
        for _ in 0..5000 {
            let asked = peer.tcp.write_all(&frame(0x81, b"42[\"flood\",100]")).await;
            if asked.is_err() {
                break;
            }
        }
        while node.connections.available_permits() < free {
            tokio::task::yield_now().await;
        }
        memory.grew_less_than(16);
        serves(&node).await;
    });
}

/// The settings' limit, to the byte, whole and in pieces, over both transports.
#[test]
fn cve_2026_44545_the_limit_of_the_settings_is_the_librarys() {
    for limit in [200, 1000, 65_535, 65_536, 300_000] {
        run(async {
            let node = Node::start(|setup| setup.engine.max_payload_bytes = limit).await;
            let most = vec![b'm'; limit];
            let mut peer = node.websocket("/ws").await;
            peer.send_frame(0x82, &most).await;
            assert_eq!(peer.frame().await.unwrap().payload, most);
            let (start, end) = most.split_at(limit / 2);
            peer.send_frame(0x02, start).await;
            peer.send_frame(0x80, end).await;
            assert_eq!(peer.frame().await.unwrap().payload, most);
            peer.send_frame(0x02, start).await;
            peer.send_frame(0x00, end).await;
            peer.send_frame(0x80, b"m").await;
            assert_eq!(peer.closed().await, 1009);

            let mut peer = node.websocket("/ws").await;
            peer.send_frame(0x82, &[&most[..], b"m"].concat()).await;
            assert_eq!(peer.closed().await, 1009);

            let sid = node.open().await;
            assert_eq!(node.post(&sid, "40").await.text(), "ok");
            let body = |bytes| format!("42[\"echo\",\"{}\"]", "m".repeat(bytes - 13));
            assert_eq!(node.post(&sid, &body(limit + 1)).await.status, 413);
            assert_eq!(node.post(&sid, &body(limit)).await.text(), "ok");
        });
    }
}
