use futures_util::future::join_all;

use super::harness::{App, World};
use crate::{Limits, TimerChange};

#[tokio::test]
async fn a_call_reads_its_own_writes_and_others_after_it() {
    let app = App::hostile(Limits::default()).await;
    app.world.put("a", "1");
    app.world.put("z", "26");
    assert_eq!(app.say("kv-own-writes", &[]).await, "false 2 None None c+z");
    assert_eq!(app.world.value("a"), None);
    assert_eq!(app.world.value("b"), None);
    assert_eq!(app.say("kv-get", &["c"]).await, "3");
}

#[tokio::test]
async fn a_failed_call_writes_nothing() {
    let app = App::hostile(Limits::default()).await;
    app.say("kv-set-fail", &["k", "v"]).await;
    app.say("kv-set-trap", &["k", "v"]).await;
    assert_eq!(app.world.value("k"), None);
    app.say("kv-set", &["k", "v"]).await;
    assert_eq!(app.world.value("k").as_deref(), Some("v"));
}

#[tokio::test]
async fn a_conflict_runs_the_call_again() {
    let app = App::hostile(Limits::default()).await;
    app.world.put("n", "1");
    app.world.rivals.lock().extend([("n", "10"), ("n", "20")]);
    assert_eq!(app.say("kv-increment", &["n"]).await, "11");
    assert_eq!(app.world.value("n").as_deref(), Some("11"));
    assert_eq!(app.worker.stats().conflicts, 2);

    app.world.rivals.lock().extend([("n", "5"); 5]);
    let text = app.say("kv-increment", &["n"]).await;
    assert!(text.contains("unavailable") && text.contains("5 times"), "{text}");
}

#[tokio::test]
async fn increments_of_concurrent_calls_are_exact() {
    let app = App::hostile(Limits::default()).await;
    let calls = (0..20).map(|_| app.say("kv-increment", &["n"]));
    let mut seen: Vec<u32> = join_all(calls)
        .await
        .iter()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{text}")))
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, (1..=20).collect::<Vec<_>>());
    assert_eq!(app.world.value("n").as_deref(), Some("20"));
}

#[tokio::test]
async fn odd_values_do_not_increment() {
    let app = App::hostile(Limits::default()).await;
    app.world.put("n", "eleven");
    let text = app.say("kv-increment", &["n"]).await;
    assert!(text.contains("not a number"), "{text}");
    app.world.put("n", &u64::MAX.to_string());
    let text = app.say("kv-increment", &["n"]).await;
    assert!(text.contains("64 bits"), "{text}");
}

#[tokio::test]
async fn long_listings_come_in_pages() {
    let app = App::hostile(Limits::default()).await;
    for n in 0..2_345 {
        app.world.put(&format!("key-{n:05}"), "");
    }
    assert_eq!(app.say("kv-list", &[]).await, "2345");
}

#[tokio::test]
async fn writes_that_cannot_be_stored_leave_no_effect() {
    let world = World {
        refuse_commits: true,
        ..World::default()
    };
    let app = App::new("hostile", world, Limits::default()).await;
    assert_eq!(
        app.say("kv-increment", &["n"]).await,
        "handler unavailable: the disk is full"
    );
    assert_eq!(
        app.say("count", &[]).await,
        "2",
        "calls that store nothing go on, on the same instance"
    );
}

#[tokio::test]
async fn timers_are_stored_with_the_call() {
    let app = App::hostile(Limits::default()).await;
    app.say("timers", &[]).await;
    let set = TimerChange::Set {
        name: "later".into(),
        delay_ms: 1_500,
        payload: "payload".into(),
    };
    assert_eq!(
        *app.world.timers.lock(),
        [set, TimerChange::Cancel { name: "other".into() }]
    );
}

#[tokio::test]
async fn bounded_reads_and_values() {
    let limits = Limits {
        reads_per_call: 10,
        kv_value_bytes: 3,
        ..Limits::default()
    };
    let app = App::hostile(limits).await;
    let text = app.say("read-flood", &[]).await;
    assert!(text.contains("limit: reads_per_call = 10"), "{text}");
    let text = app.say("kv-set", &["k", "four"]).await;
    assert!(text.contains("value is 4 bytes; kv_value_bytes = 3"), "{text}");
}
