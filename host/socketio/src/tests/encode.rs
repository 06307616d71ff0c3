use bytes::Bytes;
use expect_test::{Expect, expect};

use super::frames;
use crate::{EventData, encode};

fn check(packets: &[engineio::Packet], expected: &Expect) {
    expected.assert_eq(&frames(packets));
}

/// wire-probe: "poll" after "connect", "nsp with query", "bad auth".
#[test]
fn answers_to_connect() {
    check(
        &[
            encode::connect("/", "2uXP4eBsTkvZodu9AAAA", None),
            encode::connect("/admin", "s", Some("p")),
            encode::connect_error("/nope?x=1", "Invalid namespace", None),
            encode::connect_error("/", "not authorized", Some(r#"{"code":42}"#)),
            encode::connect_error("/", "quote \" and é", Some("no JSON")),
            encode::disconnect("/"),
            encode::disconnect("/nsp"),
        ],
        &expect![[r#"
            40{"sid":"2uXP4eBsTkvZodu9AAAA"}
            40/admin,{"sid":"s","pid":"p"}
            44/nope?x=1,{"message":"Invalid namespace"}
            44{"message":"not authorized","data":{"code":42}}
            44{"message":"quote \" and é","data":"no JSON"}
            41
            41/nsp,
        "#]],
    );
}

#[test]
fn events() {
    let data = EventData::event("foo", "[1]", vec![]).unwrap();
    let bare = EventData::event("foo", "[]", vec![]).unwrap();
    let packets = [
        encode::event("/", &data, None, None),
        encode::event("/", &data, None, Some("Q81NTIg")),
        encode::event("/", &data, Some(7), None),
        // An offset would take the callback's place.
        encode::event("/", &data, Some(7), Some("Q81NTIg")),
        encode::event("/admin", &bare, None, Some("odd\"é")),
        encode::event("/admin", &bare, Some(u64::MAX), None),
        encode::ack("/", 1, &EventData::args("[1]", vec![]).unwrap()),
        encode::ack("/admin", 12, &EventData::args("[]", vec![]).unwrap()),
    ];
    check(
        &packets.concat(),
        &expect![[r#"
        42["foo",1]
        42["foo",1,"Q81NTIg"]
        427["foo",1]
        427["foo",1]
        42/admin,["foo","odd\"é"]
        42/admin,18446744073709551615["foo"]
        431[1]
        43/admin,12[]
    "#]],
    );
}

/// wire-probe: "2 events + binary".
#[test]
fn binary() {
    let args = r#"[{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}}]"#;
    let attachments = vec![Bytes::from_static(&[1, 2]), Bytes::from_static(&[3])];
    let event = EventData::event("b", args, attachments.clone()).unwrap();
    let answer = EventData::args(args, attachments).unwrap();
    let packets = [
        encode::event("/", &event, None, Some("Q81NTIg.0")),
        encode::ack("/admin", 3, &answer),
    ];
    check(
        &packets.concat(),
        &expect![[r#"
        452-["b",{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}},"Q81NTIg.0"]
        b"\x01\x02"
        b"\x03"
        462-/admin,3[{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}}]
        b"\x01\x02"
        b"\x03"
    "#]],
    );
}
