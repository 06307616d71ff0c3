use std::time::Duration;

use router::Position;

use super::{Subject, entry, list, numbers};
use crate::{Error, Window};

list![
    window_of_packets,
    window_of_bytes,
    window_of_age,
    window_of_nothing,
    window_narrowed,
    keys_leave_with_window
];

const WIDE: Window = Window {
    age: Duration::from_hours(1),
    packets_max: 1000,
    bytes_max: 1 << 20,
};

async fn window_of_packets(subject: Subject) {
    let app = subject.name("app");
    let start = subject.backplane.head(&app).await.unwrap();
    subject
        .backplane
        .retain(
            &app,
            Window {
                packets_max: 5,
                ..WIDE
            },
        )
        .await
        .unwrap();
    let mut positions = Vec::new();
    for text in numbers(0..20) {
        positions.extend(subject.append(&app, &[&text]).await);
    }
    assert_eq!(
        subject.read(&app, positions[14]).await.unwrap(),
        numbers(15..20),
        "just within"
    );
    assert_eq!(
        subject.read(&app, positions[13]).await,
        Err(Error::Gone),
        "just without"
    );
    assert_eq!(
        subject.read(&app, start).await,
        Err(Error::Gone),
        "before all of them"
    );
    assert_eq!(subject.backplane.head(&app).await.unwrap(), positions[19]);
}

async fn window_of_bytes(subject: Subject) {
    let app = subject.name("app");
    subject
        .backplane
        .retain(
            &app,
            Window {
                bytes_max: 10_000,
                ..WIDE
            },
        )
        .await
        .unwrap();
    let text = "x".repeat(1000);
    let mut positions = Vec::new();
    for _ in 0..20 {
        positions.extend(subject.append(&app, &[&text]).await);
    }
    let kept = kept(&subject, &app, &positions).await;
    assert!(
        (5..=10).contains(&kept),
        "{kept} entries of 1,000 bytes in 10,000"
    );
}

async fn window_of_age(subject: Subject) {
    let app = subject.name("app");
    subject
        .backplane
        .retain(
            &app,
            Window {
                age: Duration::from_millis(300),
                ..WIDE
            },
        )
        .await
        .unwrap();
    let old = subject.append(&app, &["a", "b"]).await;
    // The event waited for is time itself: nobody appends, and the log shrinks all the same.
    while subject.read(&app, old[0]).await != Err(Error::Gone) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        subject.backplane.head(&app).await.unwrap(),
        old[1],
        "an emptied log goes on where it was"
    );
    assert_eq!(subject.read(&app, old[1]).await.unwrap(), [""; 0]);
    assert!(subject.append(&app, &["c"]).await[0].offset > old[1].offset);
}

async fn window_of_nothing(subject: Subject) {
    let app = subject.name("app");
    subject
        .backplane
        .retain(
            &app,
            Window {
                packets_max: 0,
                ..WIDE
            },
        )
        .await
        .unwrap();
    let mut tail = subject.backplane.tail(&app).await.unwrap();
    let positions = subject.append(&app, &["a", "b"]).await;
    assert_eq!(
        super::take(&mut tail, 2).await.len(),
        2,
        "a tail does not depend on the window"
    );
    assert_eq!(subject.read(&app, positions[0]).await, Err(Error::Gone));
    assert_eq!(subject.read(&app, positions[1]).await.unwrap(), [""; 0]);
}

async fn window_narrowed(subject: Subject) {
    let app = subject.name("app");
    subject.backplane.retain(&app, WIDE).await.unwrap();
    let texts = numbers(0..20);
    let positions = subject
        .append(&app, &texts.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    assert_eq!(kept(&subject, &app, &positions).await, 19);
    subject
        .backplane
        .retain(
            &app,
            Window {
                packets_max: 3,
                ..WIDE
            },
        )
        .await
        .unwrap();
    assert_eq!(subject.read(&app, positions[16]).await.unwrap(), numbers(17..20));
    assert_eq!(subject.read(&app, positions[15]).await, Err(Error::Gone));
}

async fn keys_leave_with_window(subject: Subject) {
    let app = subject.name("app");
    subject
        .backplane
        .retain(
            &app,
            Window {
                packets_max: 3,
                ..WIDE
            },
        )
        .await
        .unwrap();
    let append = || subject.backplane.append(&app, vec![entry("a")], Some("k".into()));
    assert!(!append().await.unwrap().duplicate);
    subject.append(&app, &["b", "c"]).await;
    assert!(append().await.unwrap().duplicate, "still kept");
}

/// How many entries can be read after the earliest of `positions` that is not gone.
async fn kept(subject: &Subject, app: &str, positions: &[Position]) -> usize {
    for position in positions {
        match subject.read(app, *position).await {
            Ok(entries) => return entries.len(),
            Err(error) => assert_eq!(error, Error::Gone),
        }
    }
    unreachable!("the head is never gone")
}
