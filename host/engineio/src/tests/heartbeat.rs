use expect_test::expect;

use super::check;
use crate::Transport::{Polling, WebSocket};

#[test]
fn pings_after_the_interval() {
    check(
        WebSocket,
        "+24999\n+1\n+100\ntext 3\n+25000",
        &expect![[r#"
        +24999
        +1
          text 2 at 25000
        +100
        text 3
        +25000
          text 2 at 50100
    "#]],
    );
}

#[test]
fn ping_unanswered() {
    check(
        WebSocket,
        "+25000\n+19999\n+1",
        &expect![[r#"
        +25000
          text 2 at 25000
        +19999
        +1
          close websocket None at 45000
          closed PingTimeout at 45000
    "#]],
    );
    check(
        Polling,
        "get\n+25000\nget\n+20000\nget",
        &expect![[r#"
        get
        +25000
          poll 2 at 25000
        get
        +20000
          poll 1 at 45000
          closed PingTimeout at 45000
        get
          SessionUnknown
    "#]],
    );
    check(
        Polling,
        "+45000\nget",
        &expect![[r#"
        +45000
          closed PingTimeout at 45000
        get
          SessionUnknown
    "#]],
    );
}

/// Pongs that nobody asked for neither delay the ping nor cost anything.
#[test]
fn flood_of_pongs() {
    check(
        WebSocket,
        "text 3\n+10000\ntext 3\ntext 3\n+15000\ntext 3\ntext 3\n+25000",
        &expect![[r#"
            text 3
            +10000
            text 3
            text 3
            +15000
              text 2 at 25000
            text 3
            text 3
            +25000
              text 2 at 50000
        "#]],
    );
}

#[test]
fn heartbeat_survives_the_upgrade() {
    check(
        Polling,
        "+25000\nws\ntext 2probe\ntext 5\ntext 3\n+25000",
        &expect![[r#"
            +25000
            ws
            text 2probe
              text 3probe
            text 5
              text 2
            text 3
            +25000
              text 2 at 50000
        "#]],
    );
}
