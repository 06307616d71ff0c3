use expect_test::expect;

use super::check;
use crate::Transport::{Polling, WebSocket};

/// wire-probe: "poll pending while client closes".
#[test]
fn client_closes_by_post() {
    check(
        Polling,
        "get\npost 4last|1|4lost\nget",
        &expect![[r#"
        get
        post 4last|1|4lost
          message last
          poll 6
          closed ClientClose
        get
          SessionUnknown
    "#]],
    );
}

/// A client fires its last GET and its close at once, on two connections: the close may come first.
#[test]
fn a_get_overtaken_by_its_clients_close_is_answered() {
    check(
        Polling,
        "send unwanted\npost 1\npost 41\nget\nget",
        &expect![[r#"
        send unwanted
        post 1
        post 41
          SessionUnknown
        get
          poll 6
          closed ClientClose
        get
          SessionUnknown
    "#]],
    );
    check(
        Polling,
        "post 1\n+999\n+1\nget",
        &expect![[r#"
        post 1
        +999
        +1
          closed ClientClose at 1000
        get
          SessionUnknown
    "#]],
    );
}

/// python-socketio refuses a payload of more than 16 packets.
#[test]
fn a_payload_has_at_most_sixteen_packets() {
    let mut steps: Vec<String> = (1..=18).map(|n| format!("send {n}")).collect();
    steps.extend(["get".to_owned(), "get".to_owned()]);
    let transcript = super::transcript(Polling, &steps.join("\n"));
    let polls: Vec<&str> = transcript
        .lines()
        .filter_map(|line| line.trim().strip_prefix("poll "))
        .collect();
    let first = (1..=16).map(|n| format!("4{n}")).collect::<Vec<_>>().join("|");
    assert_eq!(polls, [first.as_str(), "417|418"]);
}

/// wire-probe: "server closes conn while no poll pending".
#[test]
fn server_closes_between_polls() {
    check(
        Polling,
        "close\nsend lost\npost 4lost\nget\nget",
        &expect![[r#"
        close
        send lost
        post 4lost
        get
          poll 6|1
          closed ServerClose
        get
          SessionUnknown
    "#]],
    );
    check(
        Polling,
        "send kept\nclose\nget",
        &expect![[r#"
        send kept
        close
        get
          poll 4kept|1
          closed ServerClose
    "#]],
    );
    check(
        Polling,
        "close\n+29999\n+1\nget",
        &expect![[r#"
        close
        +29999
        +1
          closed ServerClose at 30000
        get
          SessionUnknown
    "#]],
    );
    check(
        Polling,
        "close\npost 4x|1",
        &expect![[r#"
        close
        post 4x|1
          closed ServerClose
    "#]],
    );
    check(
        Polling,
        "close\nws\nget gone\nws lost\nclose\ntext 5",
        &expect![[r#"
            close
            ws
              BadRequest
            get gone
            ws lost
            close
            text 5
        "#]],
    );
}

#[test]
fn server_closes_during_a_poll() {
    check(
        Polling,
        "get\nclose\nget",
        &expect![[r#"
        get
        close
          poll 1
          closed ServerClose
        get
          SessionUnknown
    "#]],
    );
}

#[test]
fn server_closes_during_a_probe() {
    check(
        Polling,
        "ws\ntext 2probe\nclose\nget",
        &expect![[r#"
        ws
        text 2probe
          text 3probe
        close
          close websocket None
        get
          poll 6|1
          closed ServerClose
    "#]],
    );
}

/// wire-probe: "client sends EIO close over ws" (the reference waits for TCP; at once is better).
#[test]
fn websocket_closes() {
    check(
        WebSocket,
        "text 4a\ntext 1\ntext 4b",
        &expect![[r#"
        text 4a
          message a
        text 1
          close websocket None
          closed ClientClose
        text 4b
    "#]],
    );
    check(
        WebSocket,
        "close\nsend lost",
        &expect![[r#"
        close
          close websocket None
          closed ServerClose
        send lost
    "#]],
    );
    check(
        WebSocket,
        "ws gone",
        &expect![[r#"
        ws gone
          closed ClientClose
    "#]],
    );
    check(
        WebSocket,
        "ws lost",
        &expect![[r#"
        ws lost
          closed TransportError
    "#]],
    );
}

/// wire-probe: "client ping", and what is no packet at all.
#[test]
fn websocket_breaks_the_protocol() {
    check(
        WebSocket,
        "text 2",
        &expect![[r#"
        text 2
          close websocket None
          closed ParseError
    "#]],
    );
    check(
        WebSocket,
        "text 2probe",
        &expect![[r#"
        text 2probe
          close websocket None
          closed ParseError
    "#]],
    );
    check(
        WebSocket,
        "text",
        &expect![[r#"
        text
          close websocket None
          closed ParseError
    "#]],
    );
    check(
        WebSocket,
        "text x",
        &expect![[r#"
        text x
          close websocket None
          closed ParseError
    "#]],
    );
}

#[test]
fn websocket_carries_messages() {
    check(
        WebSocket,
        "send a\nsend-binary b\ntext 4c\nbinary d\ntext bZA==\ntext 6\ntext 0\nget\npost 4x\nws",
        &expect![[r#"
            send a
              text 4a
            send-binary b
              binary b"b"
            text 4c
              message c
            binary d
              message b"d"
            text bZA==
              message b"d"
            text 6
            text 0
            get
              BadRequest
            post 4x
              BadRequest
            ws
              BadRequest
        "#]],
    );
}
