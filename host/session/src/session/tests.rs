use std::mem::size_of;

use super::*;
use crate::{outbox, socket::Socket, timers::TimerKey};

/// The table of host/PERFORMANCE.md ("What an idle session holds") names these: whoever makes one larger makes every session
/// dearer, and whoever makes one smaller lowers it here and there.
#[test]
fn what_every_session_holds_stays_small() {
    let held = [
        ("a session", size_of::<Session>(), 312),
        ("its link", size_of::<Link>(), 96),
        ("its dialect", size_of::<Dialect>(), 56),
        ("a socket", size_of::<Socket>(), 312),
        ("a WebSocket's outbox", outbox::BYTES, 128),
        ("a timer", size_of::<(Moment, TimerKey)>(), 24),
    ];
    for (name, bytes, most) in held {
        assert!(bytes <= most, "{name}: {bytes} B, at most {most}");
    }
}
