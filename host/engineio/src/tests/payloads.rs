use bytes::Bytes;
use expect_test::{Expect, expect};

use crate::{Packet, payload};

fn check(body: &[u8], expected: &Expect) {
    let packets: Vec<_> = payload::decode(&Bytes::copy_from_slice(body)).collect();
    expected.assert_eq(&format!("{packets:?}"));
}

#[test]
fn decodes() {
    check(
        b"4a\x1ebAQI\x1ebAQI=\x1e4\xc3\xa9",
        &expect![[
            r#"[Ok(Message(Text(b"a"))), Ok(Message(Binary(b"\x01\x02"))), Ok(Message(Binary(b"\x01\x02"))), Ok(Message(Text(b"\xc3\xa9")))]"#
        ]],
    );
    check(
        b"2probe\x1e6\x1e\x1e4",
        &expect![[r#"[Ok(Ping(b"probe")), Ok(Noop), Err(Malformed)]"#]],
    );
    check(b"4a\x1e4\xc3", &expect!["[Err(Malformed)]"]);
    check(b"", &expect!["[Err(Malformed)]"]);
}

#[test]
fn encodes() {
    let packets = [
        Packet::Text("4a".into()),
        Packet::Binary(Bytes::from_static(&[1, 2, 3, 4])),
        Packet::Binary(Bytes::new()),
        Packet::Text("6".into()),
    ];
    expect![[r#"b"4a\x1ebAQIDBA==\x1eb\x1e6""#]].assert_eq(&format!("{:?}", payload::encode(packets.iter())));
    assert_eq!(payload::encode([].iter()), "");
}

/// Text is sliced out of the body, not copied.
#[test]
fn decoding_copies_no_text() {
    let body = Bytes::from_static(b"4hello\x1e4world");
    for packet in payload::decode(&body) {
        let Ok(crate::ClientPacket::Message(crate::Message::Text(text))) = packet else {
            panic!("{packet:?}")
        };
        assert!(body.as_ptr_range().contains(&text.as_ptr()));
    }
}
