//! The embedded backplane from outside: the suite in memory and in a directory, and what only a directory promises.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking"
)]
use std::sync::Arc;

use backplane::{Backplane, Embedded, Fsync, suite};
use router::{Action, Delivery, Target};

mod crash;
mod damage;
mod pressure;
mod reopen;

#[tokio::test]
async fn suite_in_memory() {
    suite::run_all(async || Arc::new(Embedded::in_memory()) as Arc<dyn Backplane>).await;
}

#[tokio::test]
async fn suite_in_memory_shared_by_threads() {
    suite::run_by_threads(Arc::new(Embedded::in_memory())).await;
}

#[tokio::test]
async fn suite_in_a_directory() {
    in_directory(Fsync::EverySecond).await;
}

#[tokio::test]
async fn suite_in_a_directory_synced() {
    in_directory(Fsync::Always).await;
}

async fn in_directory(fsync: Fsync) {
    let directory = tempfile::tempdir().unwrap();
    let shared: Arc<dyn Backplane> = Arc::new(Embedded::open_with(directory.path(), fsync).unwrap());
    suite::run_all(async || Arc::clone(&shared)).await;
}

fn entry(text: &str) -> Arc<Delivery> {
    let target = Target {
        namespace: "/".into(),
        rooms: Vec::new(),
        except: Vec::new(),
    };
    Arc::new(Delivery {
        target,
        action: Action::Join(vec![text.into()]),
    })
}

fn text(delivery: &Delivery) -> &str {
    match &delivery.action {
        Action::Join(rooms) => &rooms[0],
        other => panic!("nobody appended {other:?}"),
    }
}
