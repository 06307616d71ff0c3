use std::sync::Arc;

use parking_lot::Mutex;
use runtime::LogLevel;

use crate::logs::{Logs, Origin};

#[test]
fn lines_are_told_kept_and_bounded() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let logs = Logs::new(
        "chat".into(),
        Some(Arc::new(move |line| ear.lock().push(line.message.clone()))),
    );
    for number in 0..1_100 {
        logs.push(Origin::Guest, LogLevel::Info, "", &number.to_string(), None);
    }
    logs.push(
        Origin::Host,
        LogLevel::Error,
        "event",
        &"ä".repeat(20_000),
        Some("socket"),
    );
    let kept = logs.last();
    assert_eq!(heard.lock().len(), 1_101);
    assert_eq!(kept.len(), 1_000);
    assert_eq!(kept[0].message, "101");
    assert_eq!(kept[999].message, "ä".repeat(8 * 1024));
    assert_eq!(kept[999].socket.as_deref(), Some("socket"));
}
