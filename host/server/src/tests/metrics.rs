use std::time::Duration;

use expect_test::expect;
use router::{CallKind, DisconnectReason, Failure};
use session::AppStats;

use crate::{
    core::CoreStats,
    metrics::{AppNumbers, Calls, Kind, render},
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
    expect![[r##"
        # HELP wakeline_ready Whether this node takes new connections.
        # TYPE wakeline_ready gauge
        wakeline_ready 1
        # HELP wakeline_calls_total Calls of handlers, by what for and how they ended.
        # TYPE wakeline_calls_total counter
        wakeline_calls_total{app="chat",kind="disconnect",outcome="ok"} 2
        wakeline_calls_total{app="chat",kind="disconnect",outcome="trapped"} 2
        # HELP wakeline_call_seconds How long calls took, waiting for an instance included.
        # TYPE wakeline_call_seconds histogram
        wakeline_call_seconds_bucket{app="chat",le="0.000010"} 2
        wakeline_call_seconds_bucket{app="chat",le="0.000030"} 2
        wakeline_call_seconds_bucket{app="chat",le="0.000100"} 2
        wakeline_call_seconds_bucket{app="chat",le="0.000300"} 2
        wakeline_call_seconds_bucket{app="chat",le="0.001000"} 2
        wakeline_call_seconds_bucket{app="chat",le="0.003000"} 4
        wakeline_call_seconds_bucket{app="chat",le="0.010000"} 4
        wakeline_call_seconds_bucket{app="chat",le="0.030000"} 4
        wakeline_call_seconds_bucket{app="chat",le="0.100000"} 4
        wakeline_call_seconds_bucket{app="chat",le="1.000000"} 4
        wakeline_call_seconds_bucket{app="chat",le="+Inf"} 4
        wakeline_call_seconds_count{app="chat"} 4
        wakeline_call_seconds_sum{app="chat"} 0.004014
        # HELP wakeline_sessions Connections that live here.
        # TYPE wakeline_sessions gauge
        wakeline_sessions{app="chat"} 3
        # HELP wakeline_sessions_total Connections opened.
        # TYPE wakeline_sessions_total counter
        wakeline_sessions_total{app="chat"} 0
        # HELP wakeline_sockets Namespaces joined by connections that live here.
        # TYPE wakeline_sockets gauge
        wakeline_sockets{app="chat"} 0
        # HELP wakeline_sockets_away Sockets whose client may still recover.
        # TYPE wakeline_sockets_away gauge
        wakeline_sockets_away{app="chat"} 0
        # HELP wakeline_recoveries_total Clients that asked to recover, by outcome.
        # TYPE wakeline_recoveries_total counter
        wakeline_recoveries_total{app="chat",outcome="recovered"} 2
        wakeline_recoveries_total{app="chat",outcome="refused"} 0
        # HELP wakeline_events_total Events received from clients.
        # TYPE wakeline_events_total counter
        wakeline_events_total{app="chat"} 0
        # HELP wakeline_deliveries_total Events given out to sockets.
        # TYPE wakeline_deliveries_total counter
        wakeline_deliveries_total{app="chat"} 0
        # HELP wakeline_volatile_dropped_total Volatile events dropped for clients that could not take them.
        # TYPE wakeline_volatile_dropped_total counter
        wakeline_volatile_dropped_total{app="chat"} 0
        # HELP wakeline_overflows_total Connections closed because their client was too slow.
        # TYPE wakeline_overflows_total counter
        wakeline_overflows_total{app="chat"} 0
        # HELP wakeline_instances Instances of the handler that live.
        # TYPE wakeline_instances gauge
        wakeline_instances{app="chat"} 2
        # HELP wakeline_wakes_total Calls by what they had to wake.
        # TYPE wakeline_wakes_total counter
        wakeline_wakes_total{app="chat",tier="hot"} 0
        wakeline_wakes_total{app="chat",tier="warm"} 0
        # HELP wakeline_timers Timers that wait.
        # TYPE wakeline_timers gauge
        wakeline_timers{app="chat"} 4
        # HELP wakeline_log_head Offset of the last entry of the app's log that was delivered here.
        # TYPE wakeline_log_head gauge
        wakeline_log_head{app="chat"} 0
    "##]]
    .assert_eq(&render(&[("chat".to_owned(), numbers)], true));
}
