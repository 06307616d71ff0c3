use expect_test::expect;

use super::{Run, check, settings};
use crate::{Refusal, Transport::Polling};

/// wire-probe: "upgrade with pending poll", "poll after upgrade", "2nd ws".
#[test]
fn upgrades() {
    check(
        Polling,
        "get
        ws
        text 2probe
        get
        +99
        +1
        send by poll
        get
        send buffered
        send-binary too
        text 5
        send by websocket
        get
        post 4x
        ws
        text 4hello
        +40000",
        &expect![[r#"
            get
            ws
            text 2probe
              text 3probe
              poll 6
            get
            +99
            +1
              poll 6 at 100
            send by poll
            get
              poll 4by poll
            send buffered
            send-binary too
            text 5
              text 4buffered
              binary b"too"
            send by websocket
              text 4by websocket
            get
              BadRequest
            post 4x
              BadRequest
            ws
              BadRequest
            text 4hello
              message hello
            +40000
              text 2 at 25000
        "#]],
    );
}

#[test]
fn packets_go_by_poll_during_the_probe() {
    check(
        Polling,
        "ws\nget\nsend a\nget\ntext 2probe\nget\nsend b\nsend c\ntext 5",
        &expect![[r#"
            ws
            get
            send a
              poll 4a
            get
            text 2probe
              text 3probe
              poll 6
            get
            send b
              poll 4b
            send c
            text 5
              text 4c
        "#]],
    );
}

#[test]
fn upgrade_releases_the_poll() {
    check(
        Polling,
        "ws\ntext 2probe\nget\ntext 5",
        &expect![[r#"
        ws
        text 2probe
          text 3probe
        get
        text 5
          poll 6
    "#]],
    );
}

#[test]
fn upgrade_times_out() {
    check(
        Polling,
        "ws\ntext 2probe\nget\n+9999\n+1\nsend a\nws\ntext 2probe\ntext 5",
        &expect![[r#"
            ws
            text 2probe
              text 3probe
            get
            +9999
              poll 6 at 100
            +1
              close websocket None at 10000
            send a
            ws
            text 2probe
              text 3probe
            text 5
              text 4a
        "#]],
    );
}

#[test]
fn anything_else_closes_the_probe_only() {
    for frame in [
        "text 4x",
        "text 2",
        "text 3",
        "text 1",
        "text",
        "text 2probe2",
        "binary x",
        "text x",
    ] {
        let mut run = Run::new(Polling, settings());
        let transcript =
            run.drain() + &run.step("ws") + &run.step(frame) + &run.step("send a") + &run.step("get");
        assert!(
            transcript.ends_with("}\n  close websocket None\n  poll 4a\n"),
            "{frame}: {transcript}"
        );
    }
}

#[test]
fn probe_is_lost() {
    check(
        Polling,
        "ws\nws\nws gone\nsend a\nget\nws\ntext 2probe\nws lost\ntext 5\nget\nsend b",
        &expect![[r#"
            ws
            ws
              BadRequest
            ws gone
            send a
            get
              poll 4a
            ws
            text 2probe
              text 3probe
            ws lost
            text 5
            get
            send b
              poll 4b
        "#]],
    );
}

#[test]
fn websocket_switched_off() {
    let mut run = Run::new(
        Polling,
        crate::Settings {
            websocket: false,
            ..settings()
        },
    );
    assert!(run.drain().contains(r#""upgrades":[]"#));
    assert_eq!(
        run.connection.handle_websocket(&run.settings, run.now),
        Err(Refusal::BadRequest)
    );
    assert_eq!(run.drain(), "");
}
