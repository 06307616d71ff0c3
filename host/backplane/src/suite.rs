//! What every [`Backplane`] has to do: named cases, each in names of its own, so that they may share a server.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a suite fails by panicking"
)]
use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use router::{Action, Delivery, Position, Room, Target};

use crate::{Backplane, Error, Step, Tail};

mod buckets;
mod hostile;
mod logs;
mod tails;
mod windows;

mod others;

/// One promise, tried on a subject. Panics if it is broken.
pub struct Case {
    pub name: &'static str,
    run: fn(Subject) -> BoxFuture<'static, ()>,
}

/// The implementation under test, and names that no other case has.
pub struct Subject {
    backplane: Arc<dyn Backplane>,
    namespace: String,
}

/// All of them.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [
        logs::CASES,
        tails::CASES,
        windows::CASES,
        buckets::CASES,
        others::CASES,
        hostile::CASES,
    ]
    .into_iter()
    .flatten()
}

/// Every case in turn, each on what `make` gives: a new backplane, or always the same. Needs a Tokio runtime with
/// time. A case that takes longer than 60 s has failed.
pub async fn run_all(make: impl AsyncFn() -> Arc<dyn Backplane>) {
    for case in cases() {
        case.run(make().await).await;
    }
}

/// All cases at the same time, each on a thread and runtime of its own. Needs a Tokio runtime.
pub async fn run_by_threads(shared: Arc<dyn Backplane>) {
    let cases = cases().map(|case| {
        let shared = Arc::clone(&shared);
        tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(case.run(shared));
        })
    });
    for case in cases.collect::<Vec<_>>() {
        case.await.unwrap();
    }
}

impl Case {
    pub async fn run(&self, backplane: Arc<dyn Backplane>) {
        let random = getrandom::u64().unwrap();
        let subject = Subject {
            backplane,
            namespace: format!("{}-{random:x}", self.name),
        };
        let done = tokio::time::timeout(Duration::from_mins(1), (self.run)(subject)).await;
        assert!(done.is_ok(), "suite case {} is stuck", self.name);
    }
}

impl Subject {
    fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.namespace)
    }

    async fn append(&self, app: &str, texts: &[&str]) -> Vec<Position> {
        let entries = texts.iter().map(|text| entry(text)).collect();
        let appended = self.backplane.append(app, entries, None).await.unwrap();
        assert!(!appended.duplicate);
        assert_eq!(appended.offsets.len(), texts.len());
        appended
            .offsets
            .iter()
            .map(|&offset| Position {
                epoch: appended.epoch,
                offset,
            })
            .collect()
    }

    async fn read(&self, app: &str, after: Position) -> Result<Vec<String>, Error> {
        let entries = self.backplane.read(app, after, usize::MAX).await?;
        Ok(entries.iter().map(|(_, delivery)| text(delivery)).collect())
    }
}

/// An entry that is told from others by its text.
fn entry(text: &str) -> Arc<Delivery> {
    let target = Target {
        namespace: "/".into(),
        rooms: vec!["room".into()],
        except: Vec::new(),
    };
    Arc::new(Delivery {
        target,
        action: Action::Join(vec![Room::from(text)]),
    })
}

fn text(delivery: &Delivery) -> String {
    match &delivery.action {
        Action::Join(rooms) => rooms[0].to_string(),
        other => unreachable!("nobody appended {other:?}"),
    }
}

async fn next(tail: &mut Tail) -> (Position, String) {
    loop {
        match tail.steps.next().await.unwrap() {
            (position, Step::Entry(delivery)) => return (position, text(&delivery)),
            (_, Step::Passed) => {}
            (position, Step::Gap) => panic!("a gap before {position:?}"),
        }
    }
}

async fn take(tail: &mut Tail, count: usize) -> Vec<(Position, String)> {
    let mut taken = Vec::with_capacity(count);
    while taken.len() < count {
        taken.push(next(tail).await);
    }
    taken
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// Whether nothing but progress is queued for the tail; for an implementation on a network there may be more to come.
fn is_quiet(tail: &mut Tail) -> bool {
    loop {
        match tail.steps.next().now_or_never() {
            Some(Some((_, Step::Passed))) => {}
            other => return other.is_none(),
        }
    }
}

macro_rules! list {
    ($($name:ident),* $(,)?) => {
        pub(super) const CASES: &[super::Case] =
            &[$(super::Case { name: stringify!($name), run: |subject| Box::pin($name(subject)) }),*];
    };
}
use list;
