//! How WebSockets end.
use crate::node::{Node, run};

#[track_caller]
fn check(sent: Vec<u8>, code: u16) {
    run(async {
        let node = Node::start(|_| {}).await;
        let mut peer = node.joined().await;
        peer.send(&sent).await;
        assert_eq!(peer.closed().await, code);
    });
}

fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    crate::peer::frame(first_byte, payload)
}

#[test]
fn what_frames_may_not_be() {
    check(frame(0x82, &[0; 1001]), 1009);
    // A length of 2^63 - 1, of which nothing is sent.
    check(
        vec![
            0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4,
        ],
        1009,
    );
    check(frame(0x81, &[0xff]), 1007);
    check(frame(0xc1, b"rsv1"), 1002);
    check(frame(0xb1, b"rsv2 and rsv3"), 1002);
    check(frame(0x83, b"reserved"), 1002);
    check(frame(0x80, b"continues nothing"), 1002);
    check(frame(0x09, b"a fragmented ping"), 1002);
    check(frame(0x89, &[0; 126]), 1002);
    check(vec![0x81, 2, b'4', b'0'], 1002);
    check([frame(0x01, b"42"), frame(0x81, b"42")].concat(), 1002);
}

#[test]
fn fragments_are_joined_up_to_the_limit() {
    run(async {
        let node = Node::start(|_| {}).await;
        let mut peer = node.joined().await;
        peer.send_frame(0x01, b"42[\"ec").await;
        peer.send_frame(0x00, b"").await;
        // Between fragments, as the RFC allows.
        peer.send_frame(0x89, b"are you there").await;
        peer.send_frame(0x80, b"ho\",1]").await;
        let pong = peer.frame().await.unwrap();
        assert_eq!((pong.opcode, &*pong.payload), (10, &b"are you there"[..]));
        assert_eq!(peer.text().await, "42[\"echo-back\",1]");

        peer.send_frame(0x02, &[0]).await;
        let flood: Vec<u8> = (0..1000).flat_map(|_| frame(0x00, &[0])).collect();
        peer.send(flood).await;
        assert_eq!(peer.closed().await, 1009);
    });
}

#[test]
fn breaches_of_the_protocol_close_without_a_code() {
    for sent in ["2", "42[\"connect\"]", "40", "42{}", "4abc"] {
        check(frame(0x81, sent.as_bytes()), 1005);
    }
    let header = "451-[\"a\",{\"_placeholder\":true,\"num\":0}]";
    check(
        [frame(0x81, header.as_bytes()), frame(0x81, b"42[\"a\"]")].concat(),
        1005,
    );
}

#[test]
fn close_frames_are_answered() {
    for (sent, answered) in [
        (&[][..], 1005),
        (&1000u16.to_be_bytes()[..], 1000),
        (&3000u16.to_be_bytes()[..], 3000),
        // Not for the wire: never echoed.
        (&1005u16.to_be_bytes()[..], 1002),
        (&1006u16.to_be_bytes()[..], 1002),
        (&1015u16.to_be_bytes()[..], 1002),
        (&[3][..], 1002),
    ] {
        check(frame(0x88, sent), answered);
    }
}

#[test]
fn a_handlers_close_is_a_close_frame() {
    check(frame(0x81, b"42[\"drop\"]"), 1005);
}

#[test]
fn a_session_ends_with_its_websocket() {
    run(async {
        let node = Node::start(|_| {}).await;
        let free = node.connections.available_permits();
        let peer = node.joined().await;
        assert_eq!(node.connections.available_permits(), free - 1);
        // A reset, as a crash of the peer.
        peer.tcp.set_zero_linger().unwrap();
        drop(peer);
        while node.connections.available_permits() < free {
            tokio::task::yield_now().await;
        }
    });
}
