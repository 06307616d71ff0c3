//! Two handles are two nodes.
use std::time::Duration;

use backplane::{Backplane, Error, Step, Window};
use backplane_nats::{Nats, NatsConfig};
use bytes::Bytes;
use futures_util::StreamExt;

use crate::{HANG, append, connect, entry, next, server::Server, take, text};

#[tokio::test]
async fn tails_of_two_nodes_agree() {
    let server = Server::start();
    let nodes = [connect(&server.url()).await, connect(&server.url()).await];
    let mut tails = [
        nodes[0].tail("app").await.unwrap(),
        nodes[1].tail("app").await.unwrap(),
    ];
    assert_eq!(tails[0].start.epoch, tails[1].start.epoch);
    let appenders = [0, 1].map(|node| {
        let nats = nodes[node].clone();
        tokio::spawn(async move {
            for number in 0..300 {
                append(&nats, "app", &format!("{node}:{number}")).await;
            }
        })
    });
    let mut seen = Vec::new();
    for tail in &mut tails {
        let mut steps = Vec::new();
        while steps.len() < 600 {
            steps.push(next(tail).await);
        }
        seen.push(steps);
    }
    for appender in appenders {
        appender.await.unwrap();
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].is_sorted_by(|(a, _), (b, _)| a.offset < b.offset));
    for node in 0..2 {
        let own = seen[0]
            .iter()
            .filter_map(|(_, text)| text.strip_prefix(&format!("{node}:")));
        assert!(own.eq((0..300).map(|number| number.to_string())));
    }
}

#[tokio::test]
async fn another_node_recovers_a_client() {
    let server = Server::start();
    let (one, two) = (connect(&server.url()).await, connect(&server.url()).await);
    let mut tail = one.tail("app").await.unwrap();
    let start = tail.start;
    let first = append(&one, "app", "first").await;
    let last = append(&one, "app", "last").await;
    assert_eq!(take(&mut tail, 2).await, ["first", "last"]);
    let read = async |after| {
        let found = two.read("app", after, usize::MAX).await;
        found.map(|entries| {
            entries
                .iter()
                .map(|(_, delivery)| text(delivery))
                .collect::<Vec<_>>()
        })
    };
    // The other node has never heard of the app, so it fetches what was stored before.
    assert_eq!(read(start).await.unwrap(), ["first", "last"]);
    assert_eq!(read(first).await.unwrap(), ["last"]);
    assert_eq!(two.head("app").await.unwrap(), last);
    // A position may come from a node that is ahead.
    for number in 0..50 {
        let at = append(&one, "app", &number.to_string()).await;
        assert_eq!(read(at).await.unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn a_node_that_comes_later_keeps_to_the_window() {
    let server = Server::start();
    let one = connect(&server.url()).await;
    let mut positions = Vec::new();
    for number in 0..10 {
        positions.push(append(&one, "app", &number.to_string()).await);
    }
    let two = connect(&server.url()).await;
    let window = Window {
        packets_max: 3,
        ..Window::INITIAL
    };
    two.retain("app", window).await.unwrap();
    assert_eq!(two.read("app", positions[6], 9).await.unwrap().len(), 3);
    assert_eq!(two.read("app", positions[5], 9).await, Err(Error::Gone));
    assert_eq!(two.head("app").await.unwrap(), positions[9]);
}

#[tokio::test]
async fn a_key_is_known_to_every_node() {
    let server = Server::start();
    let (one, two) = (connect(&server.url()).await, connect(&server.url()).await);
    let call = |nats: &Nats| nats.append("app", vec![entry("a"), entry("b")], Some("key".into()));
    let (first, second) = tokio::join!(call(&one), call(&two));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(first.duplicate != second.duplicate, "one of them");
    assert_eq!(first.offsets, second.offsets);
    let another = one
        .append("app", vec![entry("c")], Some("key".into()))
        .await
        .unwrap();
    assert_eq!(another.offsets, first.offsets, "the first call's");
}

#[tokio::test]
async fn what_is_large_goes_in_parts() {
    let server = Server::start();
    let (one, two) = (connect(&server.url()).await, connect(&server.url()).await);
    let large: Vec<String> = (0..3).map(|number| number.to_string().repeat(5 << 19)).collect();
    let entries = || large.iter().map(|text| entry(text)).collect();
    let appended = one.append("app", entries(), Some("key".into())).await.unwrap();
    let again = one.append("app", entries(), Some("key".into())).await.unwrap();
    assert!(again.duplicate && again.offsets == appended.offsets);
    append(&one, "app", "small").await;
    let mut tail = one.tail("app").await.unwrap();
    one.append("app", entries(), None).await.unwrap();
    assert_eq!(take(&mut tail, 3).await, large);
    let found = two
        .read(
            "app",
            router::Position {
                epoch: appended.epoch,
                offset: 0,
            },
            99,
        )
        .await
        .unwrap();
    let found: Vec<String> = found.iter().map(|(_, delivery)| text(delivery)).collect();
    let small = ["small".to_owned()];
    assert_eq!(found, [&large[..], &small, &large].concat());
}

#[tokio::test]
async fn tails_learn_where_the_log_is_without_them() {
    let server = Server::start();
    let config = NatsConfig {
        servers: server.url(),
        partitions: 1,
        ..NatsConfig::default()
    };
    let nats = Nats::connect(config).await.unwrap();
    let mut tail = nats.tail("quiet").await.unwrap();
    let other = append(&nats, "other", "text").await;
    let (position, step) = tokio::time::timeout(HANG, tail.steps.next())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(step, Step::Passed);
    assert!(position.offset > other.offset && position.epoch == other.epoch);
    assert_eq!(nats.read("quiet", position, 9).await.unwrap(), []);
    let later = append(&nats, "quiet", "text").await;
    assert!(later.offset > position.offset);
    assert_eq!(nats.read("quiet", position, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn topics_reach_every_node() {
    let server = Server::start();
    let (one, two) = (connect(&server.url()).await, connect(&server.url()).await);
    let mut streams = [
        one.subscribe("topic").await.unwrap(),
        two.subscribe("topic").await.unwrap(),
    ];
    let large = Bytes::from(vec![7; 5 << 20]);
    for payload in [Bytes::from_static(b"small"), large] {
        one.publish("topic", payload.clone()).await.unwrap();
        for stream in &mut streams {
            let found = tokio::time::timeout(HANG, stream.next()).await.unwrap();
            assert!(found == Some(payload.clone()));
        }
    }
}

#[tokio::test]
async fn keys_and_blobs_are_everyones() {
    let server = Server::start();
    let (one, two) = (connect(&server.url()).await, connect(&server.url()).await);
    let blob = Bytes::from((0..3_000_000u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
    let digest = one.put_blob(blob.clone()).await.unwrap();
    assert!(two.get_blob(&digest).await.unwrap() == Some(blob.clone()));
    two.delete_blob(&digest).await.unwrap();
    assert_eq!(one.get_blob(&digest).await.unwrap(), None);
    one.put_blob(blob.clone()).await.unwrap();
    assert!(
        two.get_blob(&digest).await.unwrap() == Some(blob),
        "it is no duplicate of what was deleted"
    );
    let change = backplane::Change {
        key: "key".into(),
        value: Some(Bytes::from_static(b"value")),
        condition: backplane::Condition::Absent,
    };
    one.write("bucket", vec![change.clone()]).await.unwrap();
    assert_eq!(two.keys("bucket", "", None, 9).await.unwrap(), ["key"]);
    let refused = two.write("bucket", vec![change]).await;
    assert_eq!(refused, Err(Error::Conflict { key: "key".into() }));
}

#[tokio::test]
async fn events_from_any_client_of_nats() {
    let server = Server::start();
    let (one, two) = (connect(&server.url()).await, connect(&server.url()).await);
    let (first, second) = (one.emits().await.unwrap(), two.emits().await.unwrap());
    let mut emits = futures_util::stream::select(first, second);
    let client = async_nats::connect(server.url()).await.unwrap();
    let answering = async {
        for _ in 0..2 {
            let emit = emits.next().await.unwrap();
            assert_eq!(emit.app, "shop.eu");
            assert!(emit.wants_answer());
            let body = Bytes::from([b"re: ", &emit.payload[..]].concat());
            emit.answer(body).await.unwrap();
        }
    };
    let asking = async {
        for text in ["a", "b"] {
            // Subscriptions of others take effect in their own time.
            let answer = loop {
                match client.request("wakeline.emit.shop.eu", text.into()).await {
                    Ok(answer) => break answer,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            };
            assert_eq!(answer.payload, format!("re: {text}"));
        }
    };
    tokio::join!(answering, asking);
}
