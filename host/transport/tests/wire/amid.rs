//! WebSockets of a core share what reads their frames, except for who is amid a message: pieces of several, in turns.
use crate::{
    node::{Node, run},
    peer::{Peer, frame},
};

async fn echoes(peer: &mut Peer, number: usize) {
    peer.send_text(&format!("42[\"echo\",{number}]")).await;
    assert_eq!(peer.text().await, format!("42[\"echo-back\",{number}]"));
}

/// What `sent` is answered with once it has come byte by byte, while another WebSocket is spoken to between any two of them.
#[track_caller]
fn check(sent: Vec<u8>, answers: &[(u8, &str)]) {
    run(async {
        let node = Node::start(|_| {}).await;
        let (mut slow, mut other) = (node.joined().await, node.joined().await);
        slow.tcp.set_nodelay(true).unwrap();
        for (number, byte) in sent.iter().enumerate() {
            slow.send([*byte]).await;
            // It was sent later, so when it has been answered the byte has been read.
            echoes(&mut other, number).await;
        }
        for (opcode, answer) in answers {
            let frame = slow.frame().await.unwrap();
            let text = String::from_utf8(frame.payload).unwrap();
            assert_eq!((frame.opcode, &*text), (*opcode, *answer));
        }
        // Both are as they were before.
        echoes(&mut slow, 0).await;
        echoes(&mut other, 0).await;
    });
}

#[test]
fn a_frame_in_pieces() {
    check(
        frame(0x81, b"42[\"echo\",\"slowly\"]"),
        &[(1, "42[\"echo-back\",\"slowly\"]")],
    );
}

#[test]
fn a_message_in_fragments_with_a_ping_between() {
    let sent = [
        frame(0x01, b"42[\"ec"),
        frame(0x89, b"are you there"),
        frame(0x00, b""),
        frame(0x80, b"ho\",1]"),
    ];
    check(
        sent.concat(),
        &[(10, "are you there"), (1, "42[\"echo-back\",1]")],
    );
}

#[test]
fn a_length_written_longer_than_need_be() {
    let short = frame(0x81, b"42[\"echo\",2]");
    let (_, after) = short.split_at(2);
    let long = [&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 12], after].concat();
    let echoed = (1, "42[\"echo-back\",2]");
    check([long.clone(), short, long].concat(), &[echoed; 3]);
}

#[test]
fn more_than_is_read_at_once_and_the_beginning_of_another() {
    run(async {
        let node = Node::start(|_| {}).await;
        let (mut many, mut other) = (node.joined().await, node.joined().await);
        // 900 bytes each: more than two fill the buffer that is shared, and a hundred more than one read takes.
        let text = format!("42[\"echo\",\"{}\"]", "x".repeat(886));
        let (whole, answer) = (frame(0x81, text.as_bytes()), text.replace("echo", "echo-back"));
        let mut sent = whole.repeat(100);
        let (begun, rest) = whole.split_at(500);
        sent.extend_from_slice(begun);
        many.send(&sent).await;
        for number in 0..100 {
            assert_eq!(many.text().await, answer);
            echoes(&mut other, number).await;
        }
        many.send(rest).await;
        assert_eq!(many.text().await, answer);
        echoes(&mut many, 0).await;
    });
}

#[test]
fn what_ends_amid_a_message_harms_nobody() {
    run(async {
        let node = Node::start(|_| {}).await;
        let mut other = node.joined().await;
        let begun = frame(0x81, b"42[\"echo\",\"never whole\"]");
        for number in 0..begun.len() {
            let mut gone = node.joined().await;
            gone.send(&begun[..number]).await;
            echoes(&mut other, number).await;
            drop(gone);
            echoes(&mut other, number).await;
        }
        let mut closed = node.joined().await;
        closed.send([frame(0x88, &[]), begun].concat()).await;
        assert_eq!(closed.closed().await, 1005);
        echoes(&mut other, 0).await;
    });
}
