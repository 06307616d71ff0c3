use std::{sync::Arc, time::Duration};

use backplane::{Backplane, Embedded};
use http::StatusCode;

use crate::{
    admin::push::parse,
    push::mark::{Claim, Mark, Marks},
    store::Store,
};

const WINDOW: Duration = Duration::from_secs(60);
const NOW: u64 = 1_000_000_000_000;

fn store() -> Store {
    Store::new(Arc::new(Embedded::in_memory()) as Arc<dyn Backplane>, "chat")
}

fn ours(claim: Claim) -> Mark {
    match claim {
        Claim::Ours(mark) => mark,
        Claim::Running => panic!("it runs"),
        Claim::Done => panic!("it has run"),
    }
}

#[tokio::test]
async fn one_of_two_runs_and_the_other_hears_how_it_stands() {
    let store = store();
    let marks = Marks::new(&store, "order 7", WINDOW);
    let mark = ours(marks.claim_at(NOW).await.unwrap());
    assert!(matches!(marks.claim_at(NOW + 1).await.unwrap(), Claim::Running));
    let other = Marks::new(&store, "order 8", WINDOW);
    ours(other.claim_at(NOW + 1).await.unwrap());
    marks.finish(mark).await.unwrap();
    assert!(matches!(marks.claim_at(NOW + 59_999).await.unwrap(), Claim::Done));
    ours(marks.claim_at(NOW + 60_000).await.unwrap());
}

#[tokio::test]
async fn a_push_that_failed_may_run_again_at_once() {
    let store = store();
    let marks = Marks::new(&store, "order 7", WINDOW);
    let mark = ours(marks.claim_at(NOW).await.unwrap());
    marks.give_up(mark).await.unwrap();
    assert!(store.keys_from("", 9).await.unwrap().is_empty());
    ours(marks.claim_at(NOW).await.unwrap());
}

#[tokio::test]
async fn one_that_died_with_its_node_is_taken_up_again() {
    let store = store();
    let marks = Marks::new(&store, "order 7", WINDOW);
    let dead = ours(marks.claim_at(NOW).await.unwrap());
    assert!(matches!(
        marks.claim_at(NOW + 119_999).await.unwrap(),
        Claim::Running
    ));
    let heir = ours(marks.claim_at(NOW + 120_000).await.unwrap());
    // Not dead after all: what it marks is overruled.
    assert!(marks.finish(dead).await.is_err());
    marks.finish(heir).await.unwrap();
}

#[tokio::test]
async fn old_marks_go_away_and_young_ones_stay() {
    let store = store();
    for number in 0..20 {
        let key = format!("order {number}");
        let marks = Marks::new(&store, &key, WINDOW);
        let mark = ours(marks.claim_at(NOW + number).await.unwrap());
        marks.finish(mark).await.unwrap();
    }
    assert_eq!(store.keys_from("", 99).await.unwrap().len(), 40);
    let later = Marks::new(&store, "later", WINDOW);
    later.sweep(NOW + 120_009).await;
    ours(later.claim_at(NOW + 120_009).await.unwrap());
    // Ten of them are old: a claim may live as long, so what has run is kept so long, too.
    let left = store.keys_from("", 99).await.unwrap().len();
    assert_eq!(left, 22);
}

#[test]
fn bodies() {
    let asked = parse(br#"{"topic":"t","payload":{"a":[1, 2]},"idempotency_key":"k"}"#)
        .ok()
        .unwrap();
    assert_eq!(
        (&*asked.topic, &asked.payload[..]),
        ("t", &br#"{"a":[1, 2]}"#[..])
    );
    assert_eq!(asked.idempotency_key.as_deref(), Some("k"));
    let asked = parse(br#"{"topic":"t","payload_base64":"AP8="}"#).ok().unwrap();
    assert_eq!(&asked.payload[..], b"\0\xff");
    let asked = parse(br#"{"topic":"t"}"#).ok().unwrap();
    assert_eq!(&asked.payload[..], b"null");
    let big = format!(r#"{{"topic":"t","payload":"{}"}}"#, "x".repeat(1 << 20));
    for (body, status, part) in [
        ("", StatusCode::BAD_REQUEST, "EOF"),
        (
            r#"{"topic":""}"#,
            StatusCode::BAD_REQUEST,
            "topic has 1 to 256 bytes, not 0",
        ),
        (
            r#"{"topic":"t","payload":1,"payload_base64":"AA=="}"#,
            StatusCode::BAD_REQUEST,
            "not both",
        ),
        (
            r#"{"topic":"t","payload_base64":"?"}"#,
            StatusCode::BAD_REQUEST,
            "payload_base64",
        ),
        (
            r#"{"topic":"t","idempotency_key":""}"#,
            StatusCode::BAD_REQUEST,
            "idempotency_key has",
        ),
        (r#"{"topic":"t","x":1}"#, StatusCode::BAD_REQUEST, "unknown field"),
        (&big, StatusCode::PAYLOAD_TOO_LARGE, "more than 1048576 bytes"),
    ] {
        let refused = parse(body.as_bytes()).err().unwrap();
        assert_eq!(refused.status, status);
        assert!(refused.message.contains(part), "{}", refused.message);
    }
}
