use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::harness::{App, component, event_call};
use crate::Limits;

#[tokio::test]
async fn instances_are_reused_up_to_their_calls() {
    let app = App::hostile(Limits {
        calls_per_instance: 3,
        ..Limits::default()
    })
    .await;
    for expected in ["1", "2", "3", "1", "2", "3", "1"] {
        assert_eq!(app.say("count", &[]).await, expected);
    }
    let stats = app.worker.stats();
    assert_eq!((stats.calls, stats.wakes_warm, stats.wakes_hot), (7, 3, 4));
}

#[tokio::test]
async fn idle_instances_are_dropped() {
    let app = App::hostile(Limits {
        idle_ms: 1_000,
        ..Limits::default()
    })
    .await;
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    app.say("count", &[]).await;
    assert!(app.worker.reap(at(0)));
    assert!(app.worker.reap(at(900)));
    app.say("count", &[]).await;
    assert!(app.worker.reap(at(1_100)), "it ran since");
    assert!(!app.worker.reap(at(2_100)));
    assert_eq!(app.worker.stats().instances, 0);
    assert_eq!(app.say("count", &[]).await, "1");
}

#[tokio::test]
async fn no_more_instances_than_allowed() {
    let app = App::hostile(Limits {
        instances: 2,
        ..Limits::default()
    })
    .await;
    let calls = (0..10).map(|_| app.say("sleep", &["2"]));
    assert!(join_all(calls).await.iter().all(|said| said == "woke"));
    let stats = app.worker.stats();
    assert_eq!((stats.instances, stats.idle, stats.wakes_warm), (2, 2, 2));
}

#[tokio::test]
async fn a_new_version_takes_over_between_calls() {
    let app = App::hostile(Limits::default()).await;
    app.say("count", &[]).await;
    let old = app.worker.call(event_call("sleep", &["20"], None));
    let deploy = async {
        app.worker.replace(component("plain").await);
        app.say("count", &[]).await
    };
    let (old, new) = tokio::join!(old, deploy);
    assert_eq!(
        super::harness::replies(&old.unwrap()),
        "woke",
        "calls in flight end on the old one"
    );
    assert_eq!(new, "plain");
    assert_eq!(app.say("count", &[]).await, "plain");
    assert_eq!(app.worker.stats().instances, 1, "the old one is gone");
}
