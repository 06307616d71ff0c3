use std::{sync::Arc, time::Duration};

use backplane::{Backplane, Condition::Always, Embedded};
use bytes::Bytes;
use runtime::{CommitError, Condition, KvWrite, TimerChange};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{
    book::{Began, Book},
    store::Store,
    timers::{Due, Timers},
};

fn store() -> Store {
    Store::new(Arc::new(Embedded::in_memory()) as Arc<dyn Backplane>, "chat")
}

/// The app's timers as a process finds them that starts now.
async fn load(store: &Store) -> Timers {
    let (began, _) = tokio::sync::mpsc::unbounded_channel();
    let timers = Timers::new("chat".into(), began);
    timers.reload(store).await.unwrap();
    timers
}

async fn next(timers: &Timers, store: &Store) -> Due {
    timers.next(store, |_| true).await.unwrap()
}

fn set(name: &str, delay_ms: u32, payload: &'static str) -> TimerChange {
    TimerChange::Set {
        name: name.to_owned(),
        delay_ms,
        payload: Bytes::from_static(payload.as_bytes()),
    }
}

fn cancel(name: &str) -> TimerChange {
    TimerChange::Cancel {
        name: name.to_owned(),
    }
}

#[tokio::test]
async fn fires_in_order_and_once_when_done() {
    let store = store();
    let timers = load(&store).await;
    timers
        .commit(
            &store,
            vec![],
            vec![set("late", 30, "2"), set("soon", 1, "1")],
            10,
        )
        .await
        .unwrap();
    let first = next(&timers, &store).await;
    assert_eq!((&*first.name, &first.payload[..]), ("soon", &b"1"[..]));
    // Not done: it is due again.
    assert_eq!(&*next(&timers, &store).await.name, "soon");
    timers.done(&store, &first).await;
    let second = next(&timers, &store).await;
    assert_eq!(&*second.name, "late");
    timers.done(&store, &second).await;
    assert_eq!(timers.len(), 0);
}

#[tokio::test]
async fn set_anew_while_it_runs_is_not_forgotten() {
    let store = store();
    let timers = load(&store).await;
    timers
        .commit(&store, vec![], vec![set("tick", 0, "1")], 10)
        .await
        .unwrap();
    let first = next(&timers, &store).await;
    timers
        .commit(&store, vec![], vec![set("tick", 5, "2")], 10)
        .await
        .unwrap();
    timers.done(&store, &first).await;
    let second = next(&timers, &store).await;
    assert_eq!(&second.payload[..], b"2");
}

#[tokio::test]
async fn survive_in_the_store() {
    let store = store();
    let timers = load(&store).await;
    timers
        .commit(
            &store,
            vec![],
            vec![
                set("a", 0, "1"),
                set("b", 60_000, "2"),
                set("c", 0, ""),
                cancel("c"),
            ],
            10,
        )
        .await
        .unwrap();
    let after = load(&store).await;
    assert_eq!(after.len(), 2);
    assert_eq!(&*next(&after, &store).await.name, "a");
}

#[tokio::test]
async fn a_commit_is_whole_or_not_at_all() {
    let store = store();
    let timers = load(&store).await;
    let write = |condition| KvWrite {
        bucket: "".into(),
        key: "k".into(),
        value: Some(Bytes::from_static(b"v")),
        condition,
    };
    let changes = Store::kv_changes(vec![write(Condition::Revision(99))]).unwrap();
    let outcome = timers.commit(&store, changes, vec![set("a", 0, "")], 10).await;
    assert_eq!(outcome, Err(CommitError::Conflict));
    assert_eq!(timers.len(), 0);
    assert_eq!(load(&store).await.len(), 0);

    let changes = Store::kv_changes(vec![write(Condition::Absent)]).unwrap();
    timers
        .commit(&store, changes, vec![set("a", 0, "")], 1)
        .await
        .unwrap();
    assert_eq!(store.get("", "k").await.unwrap().unwrap().0, "v");
    assert_eq!(store.keys("", None, 10).await.unwrap(), ["k"]);
    assert_eq!(store.keys("", Some("k"), 10).await.unwrap(), Vec::<String>::new());
    assert_eq!(store.get("other", "k").await.unwrap(), None);

    // The limit counts timers that wait, not changes.
    assert!(
        timers
            .commit(&store, vec![], vec![set("b", 0, "")], 1)
            .await
            .is_err()
    );
    timers
        .commit(&store, vec![], vec![set("a", 0, "again")], 1)
        .await
        .unwrap();
    timers
        .commit(&store, vec![], vec![cancel("a"), set("b", 0, "")], 1)
        .await
        .unwrap();
}

#[tokio::test]
async fn somebody_is_told_when_there_is_something_to_wait_for() {
    let store = store();
    let (began, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let timers = Timers::new("chat".into(), began);
    assert!(timers.next(&store, |_| true).await.is_none());
    for round in ["1", "2"] {
        let changes = vec![set("a", 0, round), set("b", 0, round)];
        timers.commit(&store, vec![], changes, 10).await.unwrap();
        assert_eq!(hears.try_recv().as_deref(), Ok("chat"));
        assert!(hears.try_recv().is_err(), "one is enough");
        for _ in 0..2 {
            let due = next(&timers, &store).await;
            timers.done(&store, &due).await;
        }
        assert!(timers.next(&store, |_| true).await.is_none());
    }
}

fn book() -> (Arc<dyn Backplane>, Book, Began) {
    let backplane = Arc::new(Embedded::in_memory()) as Arc<dyn Backplane>;
    let (book, began) = Book::new(Arc::clone(&backplane));
    (backplane, book, began)
}

#[tokio::test]
async fn a_new_process_finds_the_timers_of_apps_that_sleep() {
    let (backplane, book, _began) = book();
    for app in ["chat", "game"] {
        let store = Store::new(Arc::clone(&backplane), app);
        let commit = book.of(&app.into());
        commit
            .commit(&store, vec![], vec![set("tick", 0, app)], 10)
            .await
            .unwrap();
    }
    let (later, mut began) = Book::new(backplane);
    later.reload().await.unwrap();
    let mut found = [began.recv().await.unwrap(), began.recv().await.unwrap()];
    found.sort();
    assert_eq!(found.map(|app| app.to_string()), ["chat", "game"]);
    later.sweep();
    assert_eq!(
        later.find("chat").unwrap().len(),
        1,
        "it waits, though its app sleeps"
    );
}

/// Words of other nodes come more often than all timers are read: those that no word came of are found all the same.
#[tokio::test(start_paused = true)]
async fn what_nobody_told_of_is_found_between_what_is_told() {
    let (backplane, book, _began) = book();
    let store = Store::new(backplane, "chat");
    let (_nodes, changes) = watch::channel(0);
    let unheard = Store::timer_change("unheard", Some(Bytes::from_static(&[0; 8])), Always);
    store.write(vec![unheard]).await.unwrap();
    store.mark_timers().await.unwrap();
    let told = async {
        while book.find("chat").is_none_or(|timers| timers.len() == 0) {
            sleep(Duration::from_secs(1)).await;
            store.tell_timers(&[("another".into(), None)]).await;
        }
    };
    tokio::select! {
        () = book.follow(changes) => unreachable!("nodes may still come and go"),
        found = timeout(Duration::from_mins(3), told) => found.unwrap(),
    }
}
