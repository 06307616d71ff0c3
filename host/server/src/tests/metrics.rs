use std::time::Duration;

use expect_test::expect_file;
use router::{CallKind, DisconnectReason, Failure};
use session::AppStats;

use crate::{
    core::CoreStats,
    metrics::{AppNumbers, Calls, Kind, NodeNumbers, render},
};

#[test]
fn prometheus_text() {
    let disconnect = Kind::of(&CallKind::Disconnect(DisconnectReason::Client));
    let mut calls = Calls::default();
    calls.record(disconnect, &Ok(()), Duration::from_micros(7));
    calls.record::<()>(
        disconnect,
        &Err(Failure::Trapped(String::new())),
        Duration::from_millis(2),
    );
    let core = |calls| CoreStats {
        app: "chat".into(),
        calls,
        worker: runtime::Stats {
            instances: 1,
            wakes_cold: 1,
            ..Default::default()
        },
    };
    let cores = [core(calls.clone()), core(calls)];
    let sessions = AppStats {
        sessions: 3,
        recovered: 2,
        ..AppStats::default()
    };
    let numbers = AppNumbers::sum(&sessions, cores.iter(), 4);
    let alone = NodeNumbers {
        ready: true,
        own: vec![("code_bytes", "gauge", "Bytes of that code.", 5)],
        cluster: None,
    };
    // Nothing has been counted of the other one: it is not listed.
    let asleep = AppNumbers::sum(&AppStats::default(), std::iter::empty(), 0);
    let apps = [("chat".to_owned(), numbers), ("asleep".to_owned(), asleep)];
    expect_file!["metrics.txt"].assert_eq(&render(&apps, &alone));
}
