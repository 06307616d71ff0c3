use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::{Run, check};

#[test]
fn events() {
    check(
        r#"2["echo","a"]
        212["echo",1,{"x":[true]}]
        2/,["explicit root"]
        2[1,"numeric name"]
        2[-1.5e3]
        2["only a name"]
        2 [ "white" , "space" ]
        2["esc\"aped\u00e9","\ud83d\ude00 \ud800"]
        2["héllo","wörld"]
        20["first ack id"]
        29007199254740991["last ack id"]
        2["_placeholder",{"_placeholder":true,"num":0}]"#,
        &expect![[r#"
            2["echo","a"]
              event / "echo" ["a"]
            212["echo",1,{"x":[true]}]
              event / "echo" [1,{"x":[true]}] ack 12
            2/,["explicit root"]
              event / "explicit root" []
            2[1,"numeric name"]
              event / "1" ["numeric name"]
            2[-1.5e3]
              event / "-1.5e3" []
            2["only a name"]
              event / "only a name" []
            2 [ "white" , "space" ]
              event / "white" ["space"]
            2["esc\"aped\u00e9","\ud83d\ude00 \ud800"]
              event / "esc\"apedé" ["\ud83d\ude00 \ud800"]
            2["héllo","wörld"]
              event / "héllo" ["wörld"]
            20["first ack id"]
              event / "first ack id" [] ack 0
            29007199254740991["last ack id"]
              event / "last ack id" [] ack 9007199254740991
            2["_placeholder",{"_placeholder":true,"num":0}]
              event / "_placeholder" [{"_placeholder":true,"num":0}]
        "#]],
    );
}

#[test]
fn acks() {
    check(
        "31[\"a\",{}]\n37[]\n3/nope,1[]\n30[null]",
        &expect![[r#"
        31["a",{}]
          ack / 1 ["a",{}]
        37[]
          ack / 7 []
        3/nope,1[]
        30[null]
          ack / 0 [null]
    "#]],
    );
}

/// wire-probe: "reserved event name", "EVENT before CONNECT" and their kin: the connection is closed.
#[test]
fn violations_by_events() {
    check_each(
        r#"2["connect"]
        2["connect_error"]
        2["disconnect"]
        2["disconnecting"]
        2["newListener"]
        2["remove\u004cistener"]
        2/other,["a"]
        2
        2{}
        2[]
        2[null]
        2[true]
        2[["a"]]
        2[{}]
        2abc["a"]
        2["a"
        2["a"]]
        2["a",]
        2["a" "b"]
        2["tab	"]
        2["\ud800"]
        2"a"
        29007199254740992["a"]
        299999999999999999999["a"]
        2-1["a"]
        2١["a"]"#,
        &expect![[r#"
            2["connect"]  broken ReservedName: reserved event name
            2["connect_error"]  broken ReservedName: reserved event name
            2["disconnect"]  broken ReservedName: reserved event name
            2["disconnecting"]  broken ReservedName: reserved event name
            2["newListener"]  broken ReservedName: reserved event name
            2["remove\u004cistener"]  broken ReservedName: reserved event name
            2/other,["a"]  broken NotJoined: packet for a namespace that is not joined
            2  broken Malformed: malformed packet
            2{}  broken Malformed: malformed packet
            2[]  broken Malformed: malformed packet
            2[null]  broken Malformed: malformed packet
            2[true]  broken Malformed: malformed packet
            2[["a"]]  broken Malformed: malformed packet
            2[{}]  broken Malformed: malformed packet
            2abc["a"]  broken Malformed: malformed packet
            2["a"  broken Malformed: malformed packet
            2["a"]]  broken Malformed: malformed packet
            2["a",]  broken Malformed: malformed packet
            2["a" "b"]  broken Malformed: malformed packet
            2["tab	"]  broken Malformed: malformed packet
            2["\ud800"]  broken Malformed: malformed packet
            2"a"  broken Malformed: malformed packet
            29007199254740992["a"]  broken Malformed: malformed packet
            299999999999999999999["a"]  broken Malformed: malformed packet
            2-1["a"]  broken Malformed: malformed packet
            2١["a"]  broken Malformed: malformed packet
        "#]],
    );
}

#[test]
fn violations_by_binary_packets() {
    check_each(
        r#"5["a"]
        50-["a"]
        5-["a"]
        5x-["a"]
        5+1-["a"]
        511-["a"]
        599999999999999999999999-["a"]
        51-[]
        51-
        51-/other,["a"]
        61-[]"#,
        &expect![[r#"
            5["a"]  broken Malformed: malformed packet
            50-["a"]  broken Malformed: malformed packet
            5-["a"]  broken Malformed: malformed packet
            5x-["a"]  broken Malformed: malformed packet
            5+1-["a"]  broken Malformed: malformed packet
            511-["a"]  broken TooManyAttachments: more than 10 attachments
            599999999999999999999999-["a"]  broken TooManyAttachments: more than 10 attachments
            51-[]  broken Malformed: malformed packet
            51-  broken Malformed: malformed packet
            51-/other,["a"]  broken NotJoined: packet for a namespace that is not joined
            61-[]  broken Malformed: malformed packet
        "#]],
    );
}

#[test]
fn violations_by_other_packets() {
    check_each(
        r#"abc
        7
        é
        3[]
        31
        31{}
        4{"message":"x"}
        4
        1{}
        1["x"]
        0
        0/a,[]
        0/b,null
        0/c,{
        0/d,"x""#,
        &expect![[r#"
            abc  broken Malformed: malformed packet
            7  broken Malformed: malformed packet
            é  broken Malformed: malformed packet
            3[]  broken Malformed: malformed packet
            31  broken Malformed: malformed packet
            31{}  broken Malformed: malformed packet
            4{"message":"x"}  broken ConnectError: CONNECT_ERROR from a client
            4  broken ConnectError: CONNECT_ERROR from a client
            1{}  broken Malformed: malformed packet
            1["x"]  broken Malformed: malformed packet
            0  broken ConnectedTwice: second CONNECT to a namespace
            0/a,[]  broken Malformed: malformed packet
            0/b,null  broken Malformed: malformed packet
            0/c,{  broken Malformed: malformed packet
            0/d,"x"  broken Malformed: malformed packet
        "#]],
    );
}

/// Each line is sent on a connection of its own, which has joined `/` and breaks by it.
fn check_each(packets: &str, expected: &Expect) {
    let mut table = String::new();
    for packet in packets.lines().map(str::trim) {
        let mut run = Run::joined();
        write!(table, "{packet}{}", run.step(packet)).unwrap();
        assert_eq!(run.step("2[\"after\"]"), "", "nothing follows");
        assert_eq!(run.connection.timeout(), None);
    }
    expected.assert_eq(&table);
}

#[test]
fn text_that_is_not_utf8() {
    let mut run = Run::new();
    let output = run.message(engineio::Message::Text(bytes::Bytes::from_static(b"0\xff")));
    assert_eq!(output, Some(crate::Output::Broken(crate::Violation::Malformed)));
}

/// Depth costs no stack, and is passed on.
#[test]
fn depth() {
    let (open, close) = ("[".repeat(200_000), "]".repeat(200_000));
    let mut run = Run::joined();
    assert!(
        run.step(&format!("2[\"deep\",{open}{close}]"))
            .starts_with("  event / \"deep\" [[[[")
    );
    let objects = "{\"a\":".repeat(100_000);
    assert_eq!(
        run.step(&format!("2[\"deep\",{objects}")),
        "  broken Malformed: malformed packet\n"
    );
    let mut run = Run::joined();
    // Where placeholders are looked for, a stack is kept, and bounded.
    assert_eq!(
        run.step(&format!("51-[\"deep\",{open}{close}]")),
        "  broken Malformed: malformed packet\n"
    );
}

/// Decoding was quadratic in them once: ten megabytes each.
#[test]
fn cve_2020_36049_namespaces_counts_and_ids_cost_their_length() {
    let (digits, letters) = ("9".repeat(10 << 20), "n".repeat(10 << 20));
    for packet in [
        format!("2{digits}[\"a\"]"),
        format!("5{digits}-[\"a\"]"),
        format!("5{digits}"),
        format!("2/{letters},[\"a\"]"),
        format!("3/{letters}"),
    ] {
        let mut run = Run::joined();
        assert!(run.step(&packet).starts_with("  broken "), "{packet:.20}");
    }
}

/// Names are compared as text, after their escapes.
#[test]
fn cve_2023_32695_names_that_objects_have_are_names() {
    for name in ["toString", "__proto__", "constructor", "error"] {
        let mut run = Run::joined();
        let expected = format!("  event / {name:?} []\n");
        assert_eq!(run.step(&format!("2[\"{name}\"]")), expected);
    }
    for name in [r#"{"toString":"x"}"#, r#"["a"]"#, "null", "true"] {
        let mut run = Run::joined();
        assert_eq!(
            run.step(&format!("2[{name}]")),
            "  broken Malformed: malformed packet\n"
        );
    }
}
