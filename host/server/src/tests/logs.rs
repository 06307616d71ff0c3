use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backplane::{Backplane, Embedded};
use futures_util::StreamExt;
use parking_lot::Mutex;
use runtime::LogLevel;
use tokio::time::timeout;

use crate::{
    admin::logs::{Reader, Wanted, after},
    logs::{
        LogBook, LogLine, Logs, Origin, Said,
        follow::{Filter, Follow, Heard},
        spread::{self, Following, Neighbours},
    },
};

const SAID: Said<'static> = Said {
    origin: Origin::Guest,
    level: LogLevel::Info,
    context: "",
    message: "",
    socket: None,
    trace: None,
};

fn book(node: &str) -> Arc<LogBook> {
    Arc::new(LogBook::new(node, None))
}

fn say(book: &Arc<LogBook>, app: &str, message: &str) {
    Logs::new(app.into(), Arc::clone(book)).say(Said { message, ..SAID });
}

fn message(heard: Option<Heard>) -> String {
    match heard {
        Some(Heard::Line(line)) => line.message.clone(),
        Some(Heard::Missed(lines)) => format!("{lines} missed"),
        None => "the end".to_owned(),
    }
}

async fn next(following: &mut Following) -> String {
    let heard = timeout(Duration::from_secs(30), following.next());
    message(heard.await.unwrap())
}

fn messages(lines: &[Arc<LogLine>]) -> Vec<&str> {
    lines.iter().map(|line| line.message.as_str()).collect()
}

fn follow(book: &Arc<LogBook>, filter: Filter) -> Follow {
    book.follow(&"chat".into(), filter, 0).unwrap().1
}

#[test]
fn lines_are_told_kept_and_bounded() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let on_log: crate::OnLog = Arc::new(move |line| ear.lock().push(line.message.clone()));
    let book = Arc::new(LogBook::new("one", Some(on_log)));
    for number in 0..1_100 {
        say(&book, "chat", &number.to_string());
    }
    let long = "ä".repeat(20_000);
    Logs::new("chat".into(), Arc::clone(&book)).say(Said {
        origin: Origin::Host,
        message: &long,
        socket: Some("socket"),
        ..SAID
    });
    let (kept, _) = book.follow(&"chat".into(), Filter::ALL, 5_000).unwrap();
    assert_eq!(heard.lock().len(), 1_101);
    assert_eq!(kept.len(), 1_000);
    assert_eq!(kept[0].message, "101");
    assert_eq!(kept[999].message, "ä".repeat(8 * 1024));
    assert_eq!(kept[999].socket.as_deref(), Some("socket"));
    let (last, _) = book.follow(&"chat".into(), Filter::ALL, 2).unwrap();
    assert_eq!(last[0].message, "1099");
}

#[test]
fn all_rings_together_are_bounded_and_the_quiet_go_first() {
    let book = book("one");
    say(&book, "quiet", "long ago");
    assert!(book.bytes() < 1_000);
    let line = "x".repeat(16 * 1024);
    for app in 0..80 {
        (0..100).for_each(|_| say(&book, &format!("app-{app}"), &line));
    }
    assert!(book.bytes() <= 64 << 20, "{}", book.bytes());
    assert!(book.follow(&"quiet".into(), Filter::ALL, 9).unwrap().0.is_empty());
    let (last, _) = book.follow(&"app-79".into(), Filter::ALL, 999).unwrap();
    assert!((60..=64).contains(&last.len()), "1 MiB of them: {}", last.len());
}

#[tokio::test]
async fn who_follows_hears_what_passes_the_filter() {
    let book = book("one");
    let logs = Logs::new("chat".into(), Arc::clone(&book));
    let mut of_socket = follow(
        &book,
        Filter {
            socket: Some("s".into()),
            ..Filter::ALL
        },
    );
    let mut bad = follow(
        &book,
        Filter {
            level: LogLevel::Warn,
            ..Filter::ALL
        },
    );
    let mut host = follow(
        &book,
        Filter {
            origin: Some(Origin::Host),
            ..Filter::ALL
        },
    );
    say(&book, "other", "another app's");
    logs.say(Said {
        message: "a",
        socket: Some("s"),
        ..SAID
    });
    logs.say(Said {
        message: "b",
        level: LogLevel::Critical,
        ..SAID
    });
    logs.say(Said {
        message: "c",
        origin: Origin::Host,
        socket: Some("s"),
        ..SAID
    });
    assert_eq!(message(of_socket.next().await), "a");
    assert_eq!(message(of_socket.next().await), "c");
    assert_eq!(message(bad.next().await), "b");
    assert_eq!(message(host.next().await), "c");
    assert_eq!(book.followers(), 3);
    drop((of_socket, bad, host));
    assert_eq!(book.followers(), 0);
}

#[tokio::test]
async fn a_slow_follower_is_told_what_it_missed_where_it_is_missing() {
    let book = book("one");
    let mut slow = follow(&book, Filter::ALL);
    for number in 0..300 {
        say(&book, "chat", &number.to_string());
    }
    for number in 0..256 {
        assert_eq!(message(slow.next().await), number.to_string());
        if number == 100 {
            say(&book, "chat", "later");
        }
    }
    assert_eq!(message(slow.next().await), "44 missed");
    assert_eq!(message(slow.next().await), "later");
    // Also if nothing is said afterwards.
    (0..260).for_each(|_| say(&book, "chat", "x"));
    for _ in 0..256 {
        assert_eq!(message(slow.next().await), "x");
    }
    assert_eq!(message(slow.next().await), "4 missed");
}

#[tokio::test]
async fn followers_are_bounded_and_end_with_the_app() {
    let book = book("one");
    let mut all: Vec<_> = (0..32).map(|_| follow(&book, Filter::ALL)).collect();
    let refused = book.follow(&"chat".into(), Filter::ALL, 0).err().unwrap();
    assert!(
        refused.to_string().starts_with("32 follow this app's log"),
        "{refused}"
    );
    assert!(book.follow(&"other".into(), Filter::ALL, 0).is_ok());
    say(&book, "chat", "last words");
    book.forget("chat");
    say(&book, "chat", "of another app by that name");
    assert_eq!(message(all[0].next().await), "last words");
    assert_eq!(message(all[0].next().await), "the end");
    let (kept, _) = book.follow(&"chat".into(), Filter::ALL, 9).unwrap();
    assert_eq!(messages(&kept), ["of another app by that name"]);
    drop(all);
    assert_eq!(book.followers(), 0);
}

/// Two nodes, by the same backplane.
struct Two {
    backplane: Arc<dyn Backplane>,
    books: [Arc<LogBook>; 2],
}

impl Two {
    fn start() -> Self {
        let two = Self {
            backplane: Arc::new(Embedded::in_memory()),
            books: [book("one"), book("two")],
        };
        for (own, book) in (1..).zip(&two.books) {
            tokio::spawn(spread::serve(Arc::clone(book), Arc::clone(&two.backplane), own));
        }
        two
    }

    async fn follow(&self, others: &[(u64, &str)]) -> (spread::Tail, Following) {
        let others = others.iter().map(|(node, name)| (*node, (*name).to_owned()));
        let neighbours = Neighbours::new(1, others.collect());
        // The other node has to be listening: its task runs when this one waits.
        tokio::task::yield_now().await;
        let asked = (&Arc::from("chat"), Filter::ALL, 3);
        spread::follow(&self.books[0], &self.backplane, Some(neighbours), asked)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn lines_of_other_nodes_are_followed_while_somebody_does() {
    let two = Two::start();
    for (book, message) in [(0, "a"), (1, "b"), (0, "c"), (1, "d")] {
        say(&two.books[book], "chat", message);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let (tail, mut following) = two.follow(&[(2, "two")]).await;
    assert_eq!(messages(&tail.lines), ["b", "c", "d"]);
    assert!(tail.partial.is_empty());
    say(&two.books[1], "other", "not this app's");
    say(&two.books[1], "chat", "there");
    assert_eq!(next(&mut following).await, "there");
    say(&two.books[0], "chat", "here");
    assert_eq!(next(&mut following).await, "here");
    assert_eq!(two.books[1].followers(), 1);
    drop(following);
    let gone = async {
        while two.books[1].followers() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), gone).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_answer_is_named_and_one_that_is_silent_is_forgotten() {
    let two = Two::start();
    let (tail, following) = two.follow(&[(2, "two"), (3, "three")]).await;
    assert_eq!(tail.partial, ["three"]);
    // It asks again and again.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(two.books[1].followers(), 1);
    // Its node dies: nobody asks, nobody says that it is over.
    std::mem::forget(following);
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(two.books[1].followers(), 0);
}

struct Allowed(Arc<AtomicBool>);

impl Reader for Allowed {
    async fn may_go_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream of the log of `chat`, and what ends its reader's right to it.
async fn stream(book: &Arc<LogBook>) -> (impl futures_util::Stream<Item = bytes::Bytes>, Arc<AtomicBool>) {
    let backplane: Arc<dyn Backplane> = Arc::new(Embedded::in_memory());
    let asked = (&Arc::from("chat"), Filter::ALL, 0);
    let (_, following) = spread::follow(book, &backplane, None, asked).await.unwrap();
    let allowed = Arc::new(AtomicBool::new(true));
    (Box::pin(after(following, Allowed(Arc::clone(&allowed)))), allowed)
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_readers_right_to_it_also_among_lines_that_never_cease() {
    let book = book("one");
    let (mut events, allowed) = stream(&book).await;
    let before = tokio::time::Instant::now();
    assert_eq!(events.next().await.unwrap(), ":\n\n");
    assert!(before.elapsed() >= Duration::from_secs(15));
    for n in 0..100 {
        say(&book, "chat", &n.to_string());
    }
    let line = events.next().await.unwrap();
    assert!(line.starts_with(b"data: {"), "{line:?}");
    allowed.store(false, Ordering::Relaxed);
    tokio::time::advance(Duration::from_secs(3)).await;
    let last = events.next().await.unwrap();
    assert!(
        last.starts_with(b"event: end\ndata: {\"code\":\"unauthorised\""),
        "{last:?}"
    );
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_stream_ends_with_its_app() {
    let book = book("one");
    let (mut events, _) = stream(&book).await;
    book.forget("chat");
    let last = events.next().await.unwrap();
    assert!(
        last.starts_with(b"event: end\ndata: {\"code\":\"no_app\""),
        "{last:?}"
    );
    assert_eq!(events.next().await, None);
}

#[test]
fn what_a_query_asks_for() {
    let wanted = Wanted::parse("follow=1&socket=abc&level=warn&origin=host&tail=5").unwrap();
    assert!(wanted.follow);
    assert_eq!(wanted.tail, 5);
    let filter = Filter {
        socket: Some("abc".to_owned()),
        level: LogLevel::Warn,
        origin: Some(Origin::Host),
    };
    assert_eq!(wanted.filter, filter);
    let plain = Wanted::parse("").unwrap();
    assert_eq!(
        (plain.follow, plain.tail, plain.filter),
        (false, 100, Filter::ALL)
    );
    for (query, part) in [
        ("tail=1001", "up to 1000"),
        ("tail=x", "a number"),
        ("level=loud", "level is"),
        ("origin=me", "origin is"),
        ("sokcet=a", "\"sokcet\" means nothing here"),
    ] {
        let problem = Wanted::parse(query).unwrap_err();
        assert!(problem.contains(part), "{problem}");
    }
}
