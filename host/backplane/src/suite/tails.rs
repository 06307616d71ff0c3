use std::sync::Arc;

use futures_util::future::join;

use super::{Subject, entry, is_quiet, list, next, numbers, take, text};
use crate::Backplane;

list![
    tail_from_now,
    tails_agree,
    many_appenders,
    slow_tail_loses_nothing,
    dropped_tail_frees_appends
];

async fn tail_from_now(subject: Subject) {
    let app = subject.name("app");
    let before = subject.append(&app, &["before"]).await[0];
    let mut tail = subject.backplane.tail(&app).await.unwrap();
    assert_eq!(tail.start, before);
    assert!(is_quiet(&mut tail));
    let after = subject.append(&app, &["a", "b"]).await;
    assert_eq!(
        take(&mut tail, 2).await,
        [(after[0], "a".to_owned()), (after[1], "b".to_owned())]
    );
    assert!(is_quiet(&mut tail));
}

async fn tails_agree(subject: Subject) {
    let app = subject.name("app");
    let mut one = subject.backplane.tail(&app).await.unwrap();
    let mut two = subject.backplane.tail(&app).await.unwrap();
    for text in numbers(0..100) {
        subject.append(&app, &[&text]).await;
    }
    let seen = take(&mut one, 100).await;
    assert_eq!(
        seen.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>(),
        numbers(0..100)
    );
    assert_eq!(take(&mut two, 100).await, seen);
}

/// From threads with runtimes of their own, as a node has them.
async fn many_appenders(subject: Subject) {
    const APPENDERS: usize = 4;
    const EACH: usize = 400;
    let app = subject.name("app");
    let mut one = subject.backplane.tail(&app).await.unwrap();
    let mut two = subject.backplane.tail(&app).await.unwrap();
    let appenders: Vec<_> = (0..APPENDERS)
        .map(|appender| {
            let (backplane, app) = (Arc::clone(&subject.backplane), app.clone());
            tokio::task::spawn_blocking(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(append_numbers(&*backplane, &app, appender, EACH));
            })
        })
        .collect();
    let (seen, also_seen) = join(take(&mut one, APPENDERS * EACH), take(&mut two, APPENDERS * EACH)).await;
    for appender in appenders {
        appender.await.unwrap();
    }
    assert_eq!(seen, also_seen);
    assert!(seen.is_sorted_by(|(a, _), (b, _)| a.offset < b.offset));
    let read = subject.backplane.read(&app, one.start, usize::MAX).await.unwrap();
    assert_eq!(
        read.into_iter()
            .map(|(at, delivery)| (at, text(&delivery)))
            .collect::<Vec<_>>(),
        seen
    );
    for appender in 0..APPENDERS {
        let prefix = format!("{appender}:");
        let own = seen.iter().filter_map(|(_, text)| text.strip_prefix(&prefix));
        assert!(own.eq(numbers(0..EACH)), "appender {appender}'s own order");
    }
}

async fn append_numbers(backplane: &dyn Backplane, app: &str, appender: usize, count: usize) {
    for number in 0..count {
        let entries = vec![entry(&format!("{appender}:{number}"))];
        assert_eq!(
            backplane.append(app, entries, None).await.unwrap().offsets.len(),
            1
        );
    }
}

/// Appender and reader are one task: neither may wait for the other in vain.
async fn slow_tail_loses_nothing(subject: Subject) {
    let app = subject.name("app");
    let mut tail = subject.backplane.tail(&app).await.unwrap();
    let read = async {
        for number in 0..FLOOD {
            tokio::task::yield_now().await;
            assert_eq!(next(&mut tail).await.1, number.to_string());
        }
    };
    join(flood(&subject, &app), read).await;
}

async fn dropped_tail_frees_appends(subject: Subject) {
    let app = subject.name("app");
    let mut tail = subject.backplane.tail(&app).await.unwrap();
    let never_read = subject.backplane.tail(&app).await.unwrap();
    let read = async {
        take(&mut tail, 10).await;
        drop(tail);
        drop(never_read);
    };
    join(flood(&subject, &app), read).await;
    let mut later = subject.backplane.tail(&app).await.unwrap();
    subject.append(&app, &["later"]).await;
    assert_eq!(next(&mut later).await.1, "later");
}

async fn flood(subject: &Subject, app: &str) {
    let texts = numbers(0..FLOOD);
    for texts in texts.chunks(50) {
        let entries = texts.iter().map(|text| entry(text)).collect();
        assert_eq!(
            subject
                .backplane
                .append(app, entries, None)
                .await
                .unwrap()
                .offsets
                .len(),
            50
        );
    }
}

/// More than any tail holds.
const FLOOD: usize = 20_000;
