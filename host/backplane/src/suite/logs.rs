use super::{Subject, entry, list, next, numbers};
use crate::{Appended, Error};
use router::{Epoch, Position};

list![
    order,
    head,
    pages,
    gone_for_strangers,
    epochs,
    apps_apart,
    idempotency_key,
    all_or_nothing,
    empty_append
];

async fn order(subject: Subject) {
    let app = subject.name("app");
    let start = subject.backplane.head(&app).await.unwrap();
    let texts = numbers(0..50);
    let mut positions = subject.append(&app, &[&texts[0]]).await;
    let rest: Vec<&str> = texts[1..].iter().map(String::as_str).collect();
    for chunk in rest.chunks(7) {
        positions.extend(subject.append(&app, chunk).await);
    }
    assert!(positions[0].offset > start.offset);
    assert!(positions.is_sorted_by(|a, b| a.offset < b.offset && a.epoch == b.epoch));
    let read = subject.backplane.read(&app, start, usize::MAX).await.unwrap();
    assert_eq!(
        read.iter().map(|(position, _)| *position).collect::<Vec<_>>(),
        positions
    );
    assert_eq!(subject.read(&app, start).await.unwrap(), texts);
}

async fn head(subject: Subject) {
    let app = subject.name("app");
    let start = subject.backplane.head(&app).await.unwrap();
    assert_ne!(start.epoch, Epoch(0));
    assert_eq!(
        subject.backplane.head(&app).await.unwrap(),
        start,
        "a head moves with appends only"
    );
    let positions = subject.append(&app, &["a", "b"]).await;
    assert_eq!(subject.backplane.head(&app).await.unwrap(), positions[1]);
    assert_eq!(subject.read(&app, positions[1]).await.unwrap(), [""; 0]);
}

async fn pages(subject: Subject) {
    let app = subject.name("app");
    let mut after = subject.backplane.head(&app).await.unwrap();
    assert_eq!(subject.backplane.read(&app, after, 10).await.unwrap(), []);
    let texts = numbers(0..25);
    subject
        .append(&app, &texts.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    assert_eq!(subject.backplane.read(&app, after, 0).await.unwrap(), []);
    let mut sizes = Vec::new();
    let mut read = Vec::new();
    loop {
        let page = subject.backplane.read(&app, after, 10).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = *last;
        sizes.push(page.len());
        read.extend(page.iter().map(|(_, delivery)| super::text(delivery)));
    }
    assert_eq!(read, texts);
    assert_eq!(sizes, [10, 10, 5]);
}

async fn gone_for_strangers(subject: Subject) {
    let app = subject.name("app");
    let head = subject.append(&app, &["a", "b"]).await[1];
    let other_epoch = Position {
        epoch: Epoch(head.epoch.0 ^ 1),
        offset: head.offset,
    };
    assert_eq!(
        subject.read(&app, other_epoch).await,
        Err(Error::Gone),
        "another log's position"
    );
    let ahead = Position {
        offset: head.offset + 1,
        ..head
    };
    assert_eq!(
        subject.read(&app, ahead).await,
        Err(Error::Gone),
        "a position that was never given out"
    );
    let last = Position {
        offset: u64::MAX,
        ..head
    };
    assert_eq!(
        subject.read(&app, last).await,
        Err(Error::Gone),
        "the end of numbers"
    );
}

async fn epochs(subject: Subject) {
    let (one, two) = (subject.name("one"), subject.name("two"));
    let one = subject.append(&one, &["a"]).await[0];
    let two = subject.append(&two, &["a"]).await[0];
    assert!(one.epoch != Epoch(0) && two.epoch != Epoch(0));
}

async fn apps_apart(subject: Subject) {
    let (one, two) = (subject.name("app"), subject.name("app2"));
    let start_one = subject.backplane.head(&one).await.unwrap();
    let start_two = subject.backplane.head(&two).await.unwrap();
    let mut tail = subject.backplane.tail(&one).await.unwrap();
    subject.append(&two, &["two"]).await;
    subject.append(&one, &["one"]).await;
    assert_eq!(next(&mut tail).await.1, "one");
    assert_eq!(subject.read(&one, start_one).await.unwrap(), ["one"]);
    assert_eq!(subject.read(&two, start_two).await.unwrap(), ["two"]);
}

async fn idempotency_key(subject: Subject) {
    let app = subject.name("app");
    let start = subject.backplane.head(&app).await.unwrap();
    let append = |key: &str, texts: &[&str]| {
        let entries = texts.iter().map(|text| entry(text)).collect();
        subject.backplane.append(&app, entries, Some(key.to_owned()))
    };
    let first = append("k", &["a", "b"]).await.unwrap();
    assert!(!first.duplicate);
    subject.append(&app, &["c"]).await;
    let again = append("k", &["a", "b"]).await.unwrap();
    assert_eq!(
        again,
        Appended {
            duplicate: true,
            ..first
        }
    );
    assert!(!append("K", &["d"]).await.unwrap().duplicate);
    let other = subject.name("other");
    let elsewhere = subject
        .backplane
        .append(&other, vec![entry("e")], Some("k".into()))
        .await
        .unwrap();
    assert!(!elsewhere.duplicate, "keys are an app's own");
    assert_eq!(subject.read(&app, start).await.unwrap(), ["a", "b", "c", "d"]);
}

async fn all_or_nothing(subject: Subject) {
    let app = subject.name("app");
    let start = subject.backplane.head(&app).await.unwrap();
    let large = "x".repeat(crate::ENTRY_BYTES_MAX + 1);
    let refused = subject
        .backplane
        .append(&app, vec![entry("a"), entry(&large)], None)
        .await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert_eq!(subject.read(&app, start).await.unwrap(), [""; 0]);
}

async fn empty_append(subject: Subject) {
    let app = subject.name("app");
    let start = subject.append(&app, &["a"]).await[0];
    assert_eq!(subject.append(&app, &[]).await, []);
    assert_eq!(subject.backplane.head(&app).await.unwrap(), start);
}
