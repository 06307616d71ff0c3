use bytes::Bytes;
use engineio::Message;
use expect_test::{Expect, expect};

use super::Run;
use crate::{DataError, EventData, Output};

fn check(data: Result<EventData, DataError>, expected: &Expect) {
    expected.assert_eq(&match data {
        Ok(data) => format!("{:?} {:?} {}", data.inner(), data.split(), data.array()),
        Err(error) => format!("{error:?}: {error}"),
    });
}

#[test]
fn events_of_handlers() {
    check(
        EventData::event("say", r#"[{"text":"hi"}]"#, vec![]),
        &expect![[r#"b"\"say\",{\"text\":\"hi\"}" ("say", "[{\"text\":\"hi\"}]") ["say",{"text":"hi"}]"#]],
    );
    check(
        EventData::event("say", " [ ] ", vec![]),
        &expect![[r#"b"\"say\"" ("say", "[]") ["say"]"#]],
    );
    check(
        EventData::event("a\"b\\c\n", "[1, 2]", vec![]),
        &expect![[r#"b"\"a\\\"b\\\\c\\n\",1, 2" ("a\"b\\c\n", "[1, 2]") ["a\"b\\c\n",1, 2]"#]],
    );
    check(
        EventData::event("", "[]", vec![]),
        &expect![[r#"b"\"\"" ("", "[]") [""]"#]],
    );
    check(
        EventData::event("connect_error", "[]", vec![]),
        &expect![[r#"Reserved("connect_error"): event name "connect_error" is reserved"#]],
    );
    check(
        EventData::event("say", "{}", vec![]),
        &expect![[
            r#"NotAnArray("invalid type: map, expected a JSON array at line 1 column 0"): args must be a JSON array: invalid type: map, expected a JSON array at line 1 column 0"#
        ]],
    );
    check(
        EventData::event("say", "[1", vec![]),
        &expect![[
            r#"NotAnArray("EOF while parsing a list at line 1 column 2"): args must be a JSON array: EOF while parsing a list at line 1 column 2"#
        ]],
    );
    check(
        EventData::event("say", "[1],[2]", vec![]),
        &expect![[
            r#"NotAnArray("trailing characters at line 1 column 4"): args must be a JSON array: trailing characters at line 1 column 4"#
        ]],
    );
}

#[test]
fn attachments_of_handlers() {
    let some = |count| vec![Bytes::from_static(b"x"); count];
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    check(
        EventData::event("img", &format!("[{placeholder}]"), some(1)),
        &expect![[
            r#"b"\"img\",{\"_placeholder\":true,\"num\":0}" ("img", "[{\"_placeholder\":true,\"num\":0}]") ["img",{"_placeholder":true,"num":0}]"#
        ]],
    );
    check(
        EventData::event("img", "[]", some(1)),
        &expect![
            "Attachments { placeholders: 0, attachments: 1 }: args have 0 placeholders for 1 attachments"
        ],
    );
    check(
        EventData::event("img", &format!("[{placeholder},{placeholder}]"), some(2)),
        &expect![
            "Attachments { placeholders: 1, attachments: 2 }: args have 1 placeholders for 2 attachments"
        ],
    );
    check(
        EventData::args(r#"[{"_placeholder":true,"num":1}]"#, some(1)),
        &expect![
            "Attachments { placeholders: 0, attachments: 1 }: args have 0 placeholders for 1 attachments"
        ],
    );
    check(
        EventData::args("[]", some(11)),
        &expect!["TooMany(11): 11 attachments; at most 10 can be sent"],
    );
    // Nobody looks for placeholders in a text packet: a client's own text may be sent on.
    check(
        EventData::event("img", &format!("[{placeholder}]"), vec![]),
        &expect![[
            r#"b"\"img\",{\"_placeholder\":true,\"num\":0}" ("img", "[{\"_placeholder\":true,\"num\":0}]") ["img",{"_placeholder":true,"num":0}]"#
        ]],
    );
}

#[test]
fn from_the_log() {
    check(
        Ok(EventData::from_inner("7,[1,2],\"x\"".into(), vec![])),
        &expect![[r#"b"7,[1,2],\"x\"" ("7", "[[1,2],\"x\"]") [7,[1,2],"x"]"#]],
    );
    check(
        Ok(EventData::from_inner(Bytes::from_static(b"\xff"), vec![])),
        &expect![[r#"b"" ("", "[]") []"#]],
    );
    check(
        Ok(EventData::from_inner(Bytes::new(), vec![])),
        &expect![[r#"b"" ("", "[]") []"#]],
    );
}

/// A received event is a slice of its frame.
#[test]
fn receiving_copies_no_text() {
    let mut run = Run::joined();
    let frame = Bytes::from_static(b"21[ \"name\", 1 ]");
    let output = run.message(Message::Text(frame.clone()));
    let Some(Output::Event { data, .. }) = output else {
        panic!("no event")
    };
    assert_eq!(data.inner(), "\"name\", 1");
    assert!(frame.as_ptr_range().contains(&data.inner().as_ptr()));
}
