use std::{sync::Arc, time::Instant};

use backplane::{Backplane, Embedded, Step, Tail, Window};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};

use crate::{entry, text};

async fn next_text(tail: &mut Tail) -> String {
    match tail.steps.next().await.unwrap().1 {
        Step::Entry(delivery) => text(&delivery).to_owned(),
        other => panic!("{other:?} where nothing but entries can come"),
    }
}

/// Appends until one has to wait: how many went through, and the one that waits.
fn fill(backplane: &Embedded) -> (usize, backplane::Answer<backplane::Appended>) {
    for count in 0.. {
        let mut append = backplane.append("app", vec![entry(&count.to_string())], None);
        match (&mut append).now_or_never() {
            Some(appended) => drop(appended.unwrap()),
            None => return (count, append),
        }
    }
    unreachable!()
}

#[tokio::test]
async fn an_unread_tail_stops_appends_and_its_reader_frees_them_in_order() {
    let backplane = Embedded::in_memory();
    let mut tail = backplane.tail("app").await.unwrap();
    let (count, mut waiting) = fill(&backplane);
    assert!(count < 100_000);
    let mut behind = backplane.append("app", vec![entry("behind")], None);
    assert!((&mut behind).now_or_never().is_none());
    for number in 0..count {
        assert_eq!(next_text(&mut tail).await, number.to_string());
    }
    assert!(
        (&mut behind).now_or_never().is_none(),
        "there is room, and it is not its turn"
    );
    assert!((&mut waiting).now_or_never().is_some());
    assert!((&mut behind).now_or_never().is_some());
    assert_eq!(next_text(&mut tail).await, count.to_string());
    assert_eq!(next_text(&mut tail).await, "behind");
}

#[tokio::test]
async fn a_waiting_append_that_is_dropped_frees_those_behind_it() {
    let backplane = Arc::new(Embedded::in_memory());
    let mut tail = backplane.tail("app").await.unwrap();
    let (count, waiting) = fill(&backplane);
    let behind = tokio::spawn(backplane.append("app", vec![entry("behind")], None));
    tokio::task::yield_now().await;
    for _ in 0..count {
        tail.steps.next().await.unwrap();
    }
    drop(waiting);
    assert_eq!(behind.await.unwrap().unwrap().offsets, [count as u64 + 1]);
    assert_eq!(next_text(&mut tail).await, "behind");
}

#[tokio::test]
async fn a_dropped_tail_frees_every_append() {
    let backplane = Embedded::in_memory();
    let tail = backplane.tail("app").await.unwrap();
    let (_, waiting) = fill(&backplane);
    let waiting = tokio::spawn(waiting);
    let behind = tokio::spawn(backplane.append("app", vec![entry("behind")], None));
    tokio::task::yield_now().await;
    drop(tail);
    waiting.await.unwrap().unwrap();
    behind.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_misses_and_is_counted() {
    let backplane = Embedded::in_memory();
    let mut stream = backplane.subscribe("topic").await.unwrap();
    let mut published = 0;
    while backplane.payloads_dropped() < 10 {
        backplane
            .publish("topic", Bytes::from(vec![0; 1000]))
            .await
            .unwrap();
        published += 1;
    }
    let mut received = 0;
    while let Some(Some(_)) = stream.next().now_or_never() {
        received += 1;
    }
    assert_eq!(received, published - 10);
    drop(backplane);
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn tails_end_with_the_backplane() {
    let backplane = Embedded::in_memory();
    let mut tail = backplane.tail("app").await.unwrap();
    backplane.append("app", vec![entry("a")], None).await.unwrap();
    drop(backplane);
    assert!(tail.steps.next().await.is_some());
    assert!(tail.steps.next().await.is_none());
}

/// Not a test: prints what an append costs. `cargo nextest run --release -p wakeline-backplane --run-ignored only --nocapture`
#[tokio::test]
#[ignore = "a measurement"]
async fn what_an_append_costs() {
    let directory = tempfile::tempdir().unwrap();
    for (name, backplane) in [
        ("memory", Embedded::in_memory()),
        ("directory", Embedded::open(directory.path()).unwrap()),
    ] {
        let window = Window {
            packets_max: 10_000,
            ..Window::INITIAL
        };
        backplane.retain("app", window).await.unwrap();
        for tails in [0, 1] {
            let mut tail = (tails == 1).then_some(backplane.tail("app").await.unwrap());
            let packet = entry(&"x".repeat(64));
            let count = 300_000;
            let started = Instant::now();
            for _ in 0..count {
                backplane
                    .append("app", vec![Arc::clone(&packet)], None)
                    .await
                    .unwrap();
                if let Some(tail) = &mut tail {
                    tail.steps.next().await.unwrap();
                }
            }
            println!("{name}, {tails} tails: {:?} an append", started.elapsed() / count);
        }
    }
}
