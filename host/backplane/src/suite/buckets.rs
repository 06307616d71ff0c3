use bytes::Bytes;

use super::{Subject, list};
use crate::{Change, Condition, Error};

list![
    values,
    revisions,
    absent,
    at_revision,
    writes_are_atomic,
    one_writer_wins,
    key_pages,
    buckets_apart,
    empty_values
];

fn put(key: &str, value: &str, condition: Condition) -> Change {
    Change {
        key: key.into(),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        condition,
    }
}

fn remove(key: &str, condition: Condition) -> Change {
    Change {
        key: key.into(),
        value: None,
        condition,
    }
}

impl Subject {
    async fn put(&self, bucket: &str, key: &str, value: &str) -> u64 {
        let change = put(key, value, Condition::Always);
        self.backplane.write(bucket, vec![change]).await.unwrap()[0]
    }

    async fn value(&self, bucket: &str, key: &str) -> Option<(String, u64)> {
        let value = self.backplane.get(bucket, key).await.unwrap()?;
        Some((String::from_utf8(value.bytes.to_vec()).unwrap(), value.revision))
    }
}

async fn values(subject: Subject) {
    let bucket = subject.name("bucket");
    assert_eq!(subject.value(&bucket, "k").await, None);
    let first = subject.put(&bucket, "k", "one").await;
    assert_eq!(subject.value(&bucket, "k").await, Some(("one".into(), first)));
    let second = subject.put(&bucket, "k", "two").await;
    assert_eq!(subject.value(&bucket, "k").await, Some(("two".into(), second)));
    subject
        .backplane
        .write(&bucket, vec![remove("k", Condition::Always)])
        .await
        .unwrap();
    assert_eq!(subject.value(&bucket, "k").await, None);
    subject
        .backplane
        .write(&bucket, vec![remove("k", Condition::Always)])
        .await
        .unwrap();
}

async fn revisions(subject: Subject) {
    let bucket = subject.name("bucket");
    let first = subject.put(&bucket, "a", "1").await;
    let second = subject.put(&bucket, "b", "1").await;
    let removed = subject
        .backplane
        .write(&bucket, vec![remove("b", Condition::Always)])
        .await
        .unwrap()[0];
    let third = subject.put(&bucket, "b", "2").await;
    assert!(
        first < second && second < removed && removed < third,
        "also past a removal"
    );
    assert_eq!(
        subject.value(&bucket, "a").await,
        Some(("1".into(), first)),
        "others keep theirs"
    );
}

async fn absent(subject: Subject) {
    let bucket = subject.name("bucket");
    let create = || {
        subject
            .backplane
            .write(&bucket, vec![put("k", "v", Condition::Absent)])
    };
    create().await.unwrap();
    assert_eq!(create().await, Err(Error::Conflict { key: "k".into() }));
    subject
        .backplane
        .write(&bucket, vec![remove("k", Condition::Always)])
        .await
        .unwrap();
    create().await.unwrap();
}

async fn at_revision(subject: Subject) {
    let bucket = subject.name("bucket");
    let conflict = Err(Error::Conflict { key: "k".into() });
    let update = |revision| {
        subject
            .backplane
            .write(&bucket, vec![put("k", "v", Condition::Revision(revision))])
    };
    assert_eq!(update(1).await, conflict, "there is no such key");
    let first = subject.put(&bucket, "k", "v").await;
    let second = update(first).await.unwrap()[0];
    assert_eq!(update(first).await, conflict, "no longer");
    let remove_at = |revision| {
        subject
            .backplane
            .write(&bucket, vec![remove("k", Condition::Revision(revision))])
    };
    assert_eq!(remove_at(first).await, conflict);
    remove_at(second).await.unwrap();
    assert_eq!(subject.value(&bucket, "k").await, None);
}

async fn writes_are_atomic(subject: Subject) {
    let bucket = subject.name("bucket");
    let old = subject.put(&bucket, "old", "1").await;
    let changes = vec![
        put("new", "1", Condition::Absent),
        put("old", "2", Condition::Revision(old + 100)),
        put("other", "1", Condition::Absent),
    ];
    let refused = subject.backplane.write(&bucket, changes.clone()).await;
    assert_eq!(
        refused,
        Err(Error::Conflict { key: "old".into() }),
        "the first that failed"
    );
    assert_eq!(
        subject.backplane.keys(&bucket, "", None, 10).await.unwrap(),
        ["old"]
    );
    assert_eq!(subject.value(&bucket, "old").await, Some(("1".into(), old)));
    let changes = vec![
        put("new", "1", Condition::Absent),
        remove("old", Condition::Revision(old)),
        put("other", "1", Condition::Always),
    ];
    let revisions = subject.backplane.write(&bucket, changes).await.unwrap();
    assert_eq!(revisions.len(), 3, "one a change");
    assert_eq!(
        subject.backplane.keys(&bucket, "", None, 10).await.unwrap(),
        ["new", "other"]
    );
    assert_eq!(
        subject.value(&bucket, "new").await,
        Some(("1".into(), revisions[0]))
    );
    let twice = vec![
        put("a", "1", Condition::Always),
        put("b", "1", Condition::Always),
        remove("a", Condition::Always),
    ];
    assert!(matches!(
        subject.backplane.write(&bucket, twice).await,
        Err(Error::Invalid(_))
    ));
}

async fn one_writer_wins(subject: Subject) {
    let bucket = subject.name("bucket");
    let start = subject.put(&bucket, "k", "0").await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let change = put("k", &writer.to_string(), Condition::Revision(start));
            tokio::spawn(subject.backplane.write(&bucket, vec![change]))
        })
        .collect();
    let mut won = Vec::new();
    for writer in writers {
        match writer.await.unwrap() {
            Ok(revisions) => won.push(revisions[0]),
            Err(error) => assert_eq!(error, Error::Conflict { key: "k".into() }),
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(subject.value(&bucket, "k").await.unwrap().1, won[0]);
}

async fn key_pages(subject: Subject) {
    let bucket = subject.name("bucket");
    let keys = [
        "a",
        "a/1",
        "a/10",
        "a/2",
        "a/é",
        "b",
        "B",
        "ab",
        "a0",
        "a\u{10FFFF}",
    ];
    for key in keys {
        subject.put(&bucket, key, "v").await;
    }
    let mut sorted = keys.map(str::to_owned);
    sorted.sort();
    let page = |prefix: &'static str, after: Option<&'static str>, max| {
        subject.backplane.keys(&bucket, prefix, after, max).map_unwrap()
    };
    assert_eq!(page("", None, 100).await, sorted);
    assert_eq!(page("a/", None, 100).await, ["a/1", "a/10", "a/2", "a/é"]);
    assert_eq!(page("a/", None, 2).await, ["a/1", "a/10"]);
    assert_eq!(page("a/", Some("a/10"), 2).await, ["a/2", "a/é"]);
    assert_eq!(page("a/", Some("a/é"), 2).await, [""; 0]);
    assert_eq!(
        page("a/", Some("a/15"), 1).await,
        ["a/2"],
        "after a key that is not there"
    );
    assert_eq!(
        page("a/", Some("A"), 1).await,
        ["a/1"],
        "after a key before the prefix"
    );
    assert_eq!(
        page("a/", Some("b"), 1).await,
        [""; 0],
        "after a key behind the prefix"
    );
    assert_eq!(page("", None, 0).await, [""; 0]);
    assert_eq!(page("c", None, 9).await, [""; 0]);
}

trait MapUnwrap {
    fn map_unwrap(self) -> impl Future<Output = Vec<String>>;
}

impl MapUnwrap for crate::Answer<Vec<String>> {
    async fn map_unwrap(self) -> Vec<String> {
        self.await.unwrap()
    }
}

async fn buckets_apart(subject: Subject) {
    let (one, two) = (subject.name("b"), subject.name("b2"));
    subject.put(&one, "2k", "one").await;
    subject.put(&two, "k", "two").await;
    assert_eq!(subject.backplane.keys(&one, "", None, 9).await.unwrap(), ["2k"]);
    assert_eq!(subject.backplane.keys(&two, "", None, 9).await.unwrap(), ["k"]);
    assert_eq!(subject.value(&two, "2k").await, None);
}

async fn empty_values(subject: Subject) {
    let bucket = subject.name("bucket");
    let revision = subject.put(&bucket, "k", "").await;
    assert_eq!(
        subject.value(&bucket, "k").await,
        Some((String::new(), revision)),
        "empty is not absent"
    );
    subject.backplane.write(&bucket, Vec::new()).await.unwrap();
}
