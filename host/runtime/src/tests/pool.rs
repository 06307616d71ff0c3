use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::{LocalBoxFuture, join_all};
use router::Failure;

use super::harness::{App, component};
use crate::{Component, Limits, Source, Tier, Worker};

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
    let calls = (0..10).map(|_| app.say("sleep", &["20"]));
    assert!(join_all(calls).await.iter().all(|said| said == "woke"));
    let stats = app.worker.stats();
    assert_eq!((stats.instances, stats.idle, stats.wakes_warm), (2, 2, 2));
}

#[tokio::test]
async fn code_is_asked_for_when_an_instance_is_made() {
    struct Shelf(Component, std::cell::Cell<u32>);
    impl Source for Shelf {
        fn component(&self) -> LocalBoxFuture<'_, Result<(Component, Tier), Failure>> {
            self.1.set(self.1.get() + 1);
            let found = match self.1.get() {
                1 => Ok((self.0.clone(), Tier::Cold)),
                2 => Err(Failure::Unavailable("the shelf is empty".to_owned())),
                _ => Ok((self.0.clone(), Tier::Remote)),
            };
            Box::pin(async move { found })
        }
    }
    let shelf = Rc::new(Shelf(component("hostile").await, std::cell::Cell::new(0)));
    let source = Rc::<Shelf>::clone(&shelf);
    let mut app = App::hostile(Limits::default()).await;
    let host = Arc::<super::harness::World>::clone(&app.world);
    app.worker = Worker::new(source, host, Limits::default());
    assert_eq!(app.say("count", &[]).await, "1");
    assert_eq!(app.say("count", &[]).await, "2");
    assert_eq!(shelf.1.get(), 1, "an idle instance needs no code");
    let now = Instant::now();
    assert!(app.worker.reap(now));
    assert!(!app.worker.reap(now + Duration::from_secs(2)));
    assert!(app.say("count", &[]).await.contains("the shelf is empty"));
    assert_eq!(app.say("count", &[]).await, "1");
    let stats = app.worker.stats();
    assert_eq!(
        (
            stats.wakes_hot,
            stats.wakes_cold,
            stats.wakes_remote,
            stats.wakes_warm
        ),
        (1, 1, 1, 0)
    );
}
