use std::time::Duration;

use backplane::{Backplane, Change, Condition, Embedded, Error, OpenError, Window};
use bytes::Bytes;

use crate::{entry, text};

const WINDOW: Window = Window {
    age: Duration::from_hours(1),
    packets_max: 5,
    bytes_max: 1 << 20,
};

#[tokio::test]
async fn everything_is_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let first = Embedded::open(directory.path()).unwrap();
    first.retain("app", WINDOW).await.unwrap();
    let start = first.head("app").await.unwrap();
    let untouched = first.head("untouched").await.unwrap();
    for number in 0..8 {
        first
            .append(
                "app",
                vec![entry(&number.to_string())],
                Some(format!("key{number}")),
            )
            .await
            .unwrap();
    }
    let head = first.head("app").await.unwrap();
    let blob = first.put_blob(Bytes::from_static(b"blob")).await.unwrap();
    let change = |key: &str| Change {
        key: key.into(),
        value: Some("v".into()),
        condition: Condition::Absent,
    };
    first.write("bucket", vec![change("a")]).await.unwrap();
    let revision = first.write("bucket", vec![change("b")]).await.unwrap()[0];
    drop(first);

    let again = Embedded::open(directory.path()).unwrap();
    assert_eq!(again.head("app").await.unwrap(), head);
    assert_eq!(again.head("untouched").await.unwrap(), untouched);
    let after = router::Position {
        offset: start.offset + 3,
        ..start
    };
    let read = again.read("app", after, 100).await.unwrap();
    assert_eq!(
        read.iter()
            .map(|(_, delivery)| text(delivery))
            .collect::<Vec<_>>(),
        ["3", "4", "5", "6", "7"]
    );
    assert_eq!(
        again.read("app", start, 100).await,
        Err(Error::Gone),
        "the window is kept, too"
    );
    let repeated = again
        .append("app", vec![entry("7")], Some("key7".into()))
        .await
        .unwrap();
    assert!(repeated.duplicate);
    assert_eq!(repeated.offsets, [head.offset]);
    let next = again.append("app", vec![entry("8")], None).await.unwrap();
    assert_eq!((next.epoch, next.offsets), (head.epoch, vec![head.offset + 1]));
    assert_eq!(again.get_blob(&blob).await.unwrap().unwrap(), "blob");
    assert_eq!(
        again.get("bucket", "b").await.unwrap().unwrap().revision,
        revision
    );
    let conflict = again.write("bucket", vec![change("a")]).await;
    assert_eq!(conflict, Err(Error::Conflict { key: "a".into() }));
    assert!(again.write("bucket", vec![change("c")]).await.unwrap()[0] > revision);
}

/// A log whose every entry has left the window, in memory and on disk, still knows where it was.
#[tokio::test]
async fn an_emptied_log_keeps_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let first = Embedded::open(directory.path()).unwrap();
    first
        .retain(
            "app",
            Window {
                packets_max: 0,
                ..WINDOW
            },
        )
        .await
        .unwrap();
    for _ in 0..300 {
        first.append("app", vec![entry("a")], None).await.unwrap();
    }
    let head = first.head("app").await.unwrap();
    drop(first);
    for _ in 0..2 {
        let again = Embedded::open(directory.path()).unwrap();
        assert_eq!(again.head("app").await.unwrap(), head);
        assert_eq!(again.read("app", head, 10).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_directory_has_one_owner() {
    let directory = tempfile::tempdir().unwrap();
    let owner = Embedded::open(directory.path()).unwrap();
    let error = Embedded::open(directory.path()).err().unwrap();
    assert!(matches!(error, OpenError::Locked(_)), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");
    let tail = owner.tail("app").await.unwrap();
    drop(owner);
    drop(Embedded::open(directory.path()).unwrap());
    drop(tail);
}

#[test]
fn a_file_is_no_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for path in [file.path().to_path_buf(), file.path().join("below")] {
        let error = Embedded::open(path).err().unwrap();
        assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    }
}

#[test]
fn a_newer_format_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(Embedded::open(directory.path()).unwrap());
    let state = directory.path().join("state");
    std::fs::write(&state, "wakeline data 7\nwhatever that will mean\n").unwrap();
    let error = Embedded::open(directory.path()).err().unwrap();
    assert!(matches!(error, OpenError::Newer { found: 7, .. }), "{error}");
    assert!(
        std::fs::read_to_string(state)
            .unwrap()
            .starts_with("wakeline data 7\n")
    );
}
