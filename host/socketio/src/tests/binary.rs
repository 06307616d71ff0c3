use expect_test::expect;

use super::{Run, check};

#[test]
fn reassembles() {
    check(
        r#"52-/,1["ev",{"_placeholder":true,"num":0},{"x":[{"num":1,"_placeholder":true}]}]
        binary one
        binary two
        61-5[{"_placeholder":true,"num":0}]
        binary answer
        2["text"]
        51-["unused"]
        binary x
        52-["twice",{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}]
        binary x
        binary y
        61-/nope,5[]
        binary late
        2["still here"]
        510-["most"]"#,
        &expect![[r#"
            52-/,1["ev",{"_placeholder":true,"num":0},{"x":[{"num":1,"_placeholder":true}]}]
            binary one
            binary two
              event / "ev" [{"_placeholder":true,"num":0},{"x":[{"num":1,"_placeholder":true}]}] b"one" b"two" ack 1
            61-5[{"_placeholder":true,"num":0}]
            binary answer
              ack / 5 [{"_placeholder":true,"num":0}] b"answer"
            2["text"]
              event / "text" []
            51-["unused"]
            binary x
              event / "unused" [] b"x"
            52-["twice",{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}]
            binary x
            binary y
              event / "twice" [{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}] b"x" b"y"
            61-/nope,5[]
            binary late
            2["still here"]
              event / "still here" []
            510-["most"]
        "#]],
    );
}

/// wire-probe: "text while waiting attachments", "11 attachments" and their kin.
#[test]
fn violations() {
    check(
        "51-[\"a\"]\n2[\"b\"]",
        &expect![[r#"
        51-["a"]
        2["b"]
          broken AttachmentMissing: text where an attachment was due
    "#]],
    );
    check(
        "binary x",
        &expect![[r#"
        binary x
          broken AttachmentUnannounced: binary message that no packet announced
    "#]],
    );
    check(
        "51-[\"a\"]\nbinary x\nbinary y",
        &expect![[r#"
        51-["a"]
        binary x
          event / "a" [] b"x"
        binary y
          broken AttachmentUnannounced: binary message that no packet announced
    "#]],
    );
    check(
        "511-[\"a\"]",
        &expect![[r#"
        511-["a"]
          broken TooManyAttachments: more than 10 attachments
    "#]],
    );
}

#[test]
fn placeholders() {
    for (object, legal) in [
        (r#"{"_placeholder":true,"num":0}"#, true),
        (r#"{"num":1,"_placeholder":true,"more":{}}"#, true),
        (r#"{"_place\u0068older":true,"num":0}"#, true),
        (r#"{"_placeholder":true,"num":2}"#, false),
        (r#"{"_placeholder":true,"num":-1}"#, false),
        (r#"{"_placeholder":true,"num":0.5}"#, false),
        (r#"{"_placeholder":true,"num":"0"}"#, false),
        (r#"{"_placeholder":true,"num":18446744073709551616}"#, false),
        (r#"{"_placeholder":true}"#, false),
        (r#"[[{"a":{"_placeholder":true,"num":9}}]]"#, false),
        (r#"{"num":9,"_placeholder":true,"num":0}"#, true),
        (r#"{"_placeholder":true,"_placeholder":false}"#, true),
        (r#"{"_placeholder":1,"num":9}"#, true),
        (r#"{"_placeholder":false,"num":9}"#, true),
        (r#""_placeholder""#, true),
    ] {
        let mut run = Run::joined();
        let transcript = run.step(&format!("52-[\"a\",{object}]"));
        let expected = if legal {
            ""
        } else {
            "  broken IllegalPlaceholder: placeholder without its attachment\n"
        };
        assert_eq!(transcript, expected, "{object}");
    }
}

/// Told by the clock alone: the client may be answering pings all the while.
#[test]
fn cve_2026_33151_each_attachment_follows_within_a_minute() {
    check(
        "53-[\"a\"]\n+59999\nbinary x\n+59999\nbinary y\n+59999\nbinary z\n+100000\n2[\"b\"]",
        &expect![[r#"
            53-["a"]
            +59999
            binary x
            +59999
            binary y
            +59999
            binary z
              event / "a" [] b"x" b"y" b"z"
            +100000
            2["b"]
              event / "b" []
        "#]],
    );
    check(
        "52-[\"a\"]\n+50000\nbinary x\n+59999\n+1\nbinary y",
        &expect![[r#"
            52-["a"]
            +50000
            binary x
            +59999
            +1
              broken AttachmentLate: attachment that did not come in time
            binary y
        "#]],
    );
}

/// Each number once, and none that is not there: an attachment never stands where another value should.
#[test]
fn cve_2022_2421_a_placeholder_given_twice_is_not_two() {
    for (args, attachments) in [
        (
            r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#,
            2,
        ),
        (
            r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            1,
        ),
        (r#"[{"_placeholder":true,"num":-1}]"#, 1),
        (r#"[{"_placeholder":true,"num":"splice"}]"#, 1),
    ] {
        let parts = vec![bytes::Bytes::new(); attachments];
        let made = crate::EventData::event("a", args, parts);
        assert!(
            matches!(made, Err(crate::DataError::Attachments { .. })),
            "{args}"
        );
    }
}
