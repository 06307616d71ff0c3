use std::{fs, path::Path};

use backplane::{Backplane, Embedded, Error, OpenError};
use bytes::Bytes;
use router::Position;

use crate::entry;

/// A directory with a log of three entries, closed; the log's head.
async fn written(path: &Path) -> Position {
    let backplane = Embedded::open(path).unwrap();
    backplane
        .append("app", vec![entry("a"), entry("b"), entry("c")], None)
        .await
        .unwrap();
    backplane.head("app").await.unwrap()
}

/// As the machine leaves it: marked open, by another run of the machine.
fn cut_power(path: &Path, synced: bool) {
    let state = format!("wakeline data 1\nboot another\nclosed false\nsynced {synced}\nmark 2\n");
    fs::write(path.join("state"), state).unwrap();
}

#[tokio::test]
async fn a_machine_that_went_down_may_have_lost_entries() {
    let directory = tempfile::tempdir().unwrap();
    let before = written(directory.path()).await;
    cut_power(directory.path(), false);
    let again = Embedded::open(directory.path()).unwrap();
    let after = again.head("app").await.unwrap();
    assert_ne!(after.epoch, before.epoch);
    assert_eq!(again.read("app", before, 10).await, Err(Error::Gone));
    again.append("app", vec![entry("d")], None).await.unwrap();
    drop(again);
    let once_more = Embedded::open(directory.path()).unwrap();
    assert_eq!(
        once_more.read("app", after, 10).await.unwrap().len(),
        1,
        "the new log is not lost in turn"
    );
}

#[tokio::test]
async fn a_synced_log_survives_the_machine() {
    let directory = tempfile::tempdir().unwrap();
    let before = written(directory.path()).await;
    cut_power(directory.path(), true);
    let again = Embedded::open(directory.path()).unwrap();
    assert_eq!(again.head("app").await.unwrap(), before);
}

#[tokio::test]
async fn a_torn_journal_is_cut_where_it_tore() {
    let directory = tempfile::tempdir().unwrap();
    let before = written(directory.path()).await;
    let journal = journals(directory.path()).pop().unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    // What a write that was never answered leaves: the beginning of a batch.
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    bytes.truncate(end);
    bytes.extend_from_slice(&[1, 3, 0, 0, 0, 9]);
    fs::write(&journal, bytes).unwrap();
    let again = Embedded::open(directory.path()).unwrap();
    assert_eq!(again.head("app").await.unwrap(), before);
    let next = again.append("app", vec![entry("d")], None).await.unwrap();
    drop(again);
    let once_more = Embedded::open(directory.path()).unwrap();
    assert_eq!(once_more.head("app").await.unwrap().offset, next.offsets[0]);
}

/// Whatever became of the journal's middle: a clear error, or a log that does not claim to be the old one.
#[tokio::test]
async fn a_rotten_journal_is_not_taken_for_a_whole_one() {
    let directory = tempfile::tempdir().unwrap();
    let before = written(directory.path()).await;
    let journal = journals(directory.path()).pop().unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    for byte in &mut bytes[end / 2..end / 2 + 8] {
        *byte ^= 0x55;
    }
    fs::write(&journal, bytes).unwrap();
    match Embedded::open(directory.path()) {
        Ok(again) => assert_ne!(again.head("app").await.unwrap().epoch, before.epoch),
        Err(error) => assert!(matches!(error, OpenError::Damaged { .. }), "{error}"),
    }
}

#[tokio::test]
async fn a_lost_store_is_another_log() {
    let directory = tempfile::tempdir().unwrap();
    let before = written(directory.path()).await;
    fs::remove_dir_all(directory.path().join("store")).unwrap();
    let again = Embedded::open(directory.path()).unwrap();
    assert_ne!(again.head("app").await.unwrap().epoch, before.epoch);
    assert_eq!(again.read("app", before, 10).await, Err(Error::Gone));
}

#[tokio::test]
async fn a_rotten_blob_is_not_handed_out() {
    let directory = tempfile::tempdir().unwrap();
    let backplane = Embedded::open(directory.path()).unwrap();
    let blob = Bytes::from_static(b"blob");
    let digest = backplane.put_blob(blob.clone()).await.unwrap();
    fs::write(directory.path().join("blobs").join(&digest), b"bl0b").unwrap();
    assert!(matches!(
        backplane.get_blob(&digest).await,
        Err(Error::Unavailable(_))
    ));
    backplane.put_blob(blob.clone()).await.unwrap();
    assert_eq!(
        backplane.get_blob(&digest).await.unwrap(),
        Some(blob),
        "storing it again mends it"
    );
}

fn journals(path: &Path) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(path.join("store"))
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut journals: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|end| end == "jnl"))
        .collect();
    journals.sort();
    journals
}
