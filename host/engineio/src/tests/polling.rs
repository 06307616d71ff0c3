use expect_test::expect;

use super::{Run, check, settings};
use crate::Transport::{Polling, WebSocket};

/// Five keys and no more, as wire-probe's "handshake polling" and "ws-only" have them.
#[test]
fn open_packet() {
    let open = |via| Run::new(via, settings()).drain().trim().to_owned();
    expect![[r#"poll 0{"sid":"3T-ouxxcC4vHauavAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}"#]].assert_eq(&open(Polling));
    expect![[r#"text 0{"sid":"3T-ouxxcC4vHauavAAAA","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000}"#]].assert_eq(&open(WebSocket));
}

#[test]
fn polls() {
    check(
        Polling,
        "get
        send a
        send b
        send-binary xyz
        get
        get
        ",
        &expect![[r#"
            get
            send a
              poll 4a
            send b
            send-binary xyz
            get
              poll 4b|beHl6
            get
        "#]],
    );
}

#[test]
fn posts() {
    check(
        Polling,
        "post 42[\"echo\",\"a\"]|4212[\"echo\",1]|bAQIDBA==
        post bAQIDBA
        post 0|3|5|6|4after
        get
        get gone
        get
        ",
        &expect![[r#"
            post 42["echo","a"]|4212["echo",1]|bAQIDBA==
              message 2["echo","a"]
              message 212["echo",1]
              message b"\x01\x02\x03\x04"
            post bAQIDBA
              message b"\x01\x02\x03\x04"
            post 0|3|5|6|4after
              message after
            get
            get gone
              closed TransportError
            get
              SessionUnknown
        "#]],
    );
}

/// wire-probe: "bad packet POST" and others of its kind: answered `ok`, the session is over.
#[test]
fn bad_posts() {
    for body in ["abc", "4a|", "", "4a||4b", "b*", "4a|7|4b", "2", "2probe"] {
        let mut run = Run::new(Polling, settings());
        let transcript = run.drain() + &run.step(&format!("post {body}")) + &run.step("get");
        assert!(
            transcript.ends_with("  closed ParseError\n  SessionUnknown\n"),
            "{body}: {transcript}"
        );
        assert!(!transcript.contains("message 4b"), "{body}: {transcript}");
    }
}

#[test]
fn body_that_is_not_utf8() {
    let mut run = Run::new(Polling, settings());
    run.drain();
    let posted = run
        .connection
        .handle_post(&run.settings, &b"4a\x1e4\xff".as_slice().into(), run.now);
    assert_eq!(posted, Ok(()));
    assert_eq!(run.drain(), "  closed ParseError\n");
}

/// wire-probe: "too big POST": the session survives.
#[test]
fn too_large_post() {
    let mut run = Run::new(Polling, settings());
    run.drain();
    let limit = run.settings.max_payload_bytes;
    assert_eq!(run.step(&format!("post 4{}", "x".repeat(limit))), "  TooLarge\n");
    assert_eq!(run.step("post 4small"), "  message small\n");
    let most = "x".repeat(limit - 1);
    assert_eq!(run.step(&format!("post 4{most}")), format!("  message {most}\n"));
}

/// wire-probe: "first of 2 polls".
#[test]
fn two_polls_at_once() {
    check(
        Polling,
        "get\nget\nget",
        &expect![[r#"
        get
        get
          Broken
          poll 1
          closed ParseError
        get
          SessionUnknown
    "#]],
    );
}

#[test]
fn too_slow_a_client() {
    let message = "x".repeat(60);
    check(
        Polling,
        &format!("send {message}\nsend {message}\nget"),
        &expect![[r#"
            send xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            send xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
              closed Overflow
            get
              SessionUnknown
        "#]],
    );
    // With a poll pending one packet may be larger than the queue.
    let message = "x".repeat(200);
    check(
        Polling,
        &format!("get\nsend {message}\nsend-binary {message}"),
        &expect![[r#"
            get
            send xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
              poll 4xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            send-binary xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
              closed Overflow
        "#]],
    );
}
