//! What clients may send by the second, and how many sockets an app may have, on a clock that is not real.
use std::{future::poll_fn, time::Duration};

use router::Limit;
use serde_json::json;
use session::{AppSettings, Protocol, Rates};
use sim::{Rig, run, settings};
use tokio::time::{Instant, sleep};

fn rig(rates: Rates) -> Rig {
    Rig::with(1, AppSettings { rates, ..settings() })
}

/// A flood is read at its rate, nothing of it is lost, and a neighbour on another connection is read at once.
#[test]
fn a_flood_is_read_at_its_rate() {
    run(async {
        let rig = rig(Rates {
            events_per_second: 100,
            ..Rates::default()
        });
        let mut neighbour = rig.join(0).await;
        let mut port = rig.hubs[0]
            .open_websocket(rig.request(Protocol::SocketIo))
            .unwrap();
        port.receive_text("40".into());
        let start = Instant::now();
        for number in 0..350 {
            poll_fn(|cx| port.poll_ready(cx)).await;
            port.receive_text(format!("42[\"echo\",{number}]").into());
        }
        let took = start.elapsed();
        assert!(took > Duration::from_millis(2_400), "{took:?}");
        assert!(took < Duration::from_millis(3_000), "{took:?}");
        assert!(rig.app.quota.hits().get(Limit::EventsPerSecond) > 0);
        let start = Instant::now();
        assert_eq!(neighbour.call("echo", json!([1])).await, json!([1]));
        assert!(start.elapsed() < Duration::from_millis(10));
    });
}

#[test]
fn bytes_are_read_at_their_rate_by_posts_as_well() {
    run(async {
        let rig = rig(Rates {
            bytes_per_second: 10_000,
            ..Rates::default()
        });
        let opened = rig.hubs[0].open_polling(rig.request(Protocol::SocketIo)).unwrap();
        let post = |body: String| rig.hubs[0].post("chat", &opened.sid, body.into());
        post("40".to_owned()).await.unwrap();
        let start = Instant::now();
        let event = format!("42[\"echo\",\"{}\"]", "x".repeat(9_000));
        for _ in 0..4 {
            post(event.clone()).await.unwrap();
        }
        // 36,000 bytes, of which a second's worth is free.
        let took = start.elapsed();
        assert!(
            took > Duration::from_millis(2_500) && took < Duration::from_secs(3),
            "{took:?}"
        );
        assert!(rig.app.quota.hits().get(Limit::BytesPerSecond) > 0);
    });
}

#[test]
fn all_connections_of_an_app_share_its_rate() {
    run(async {
        let rig = rig(Rates {
            app_events_per_second: 100,
            ..Rates::default()
        });
        let mut ports: Vec<_> = (0..4)
            .map(|_| {
                rig.hubs[0]
                    .open_websocket(rig.request(Protocol::SocketIo))
                    .unwrap()
            })
            .collect();
        for port in &mut ports {
            port.receive_text("40".into());
        }
        sleep(Duration::from_millis(1)).await;
        let start = Instant::now();
        for _ in 0..75 {
            for port in &mut ports {
                poll_fn(|cx| port.poll_ready(cx)).await;
                port.receive_text("42[\"echo\",1]".into());
            }
        }
        assert!(
            start.elapsed() > Duration::from_millis(1_900),
            "{:?}",
            start.elapsed()
        );
        assert!(rig.app.quota.hits().get(Limit::AppEventsPerSecond) > 0);
    });
}

/// What an app sends beyond its rate waits; nothing is lost.
#[test]
fn emits_beyond_the_rate_wait() {
    run(async {
        let rig = rig(Rates {
            app_bytes_out_per_second: 100_000,
            ..Rates::default()
        });
        let mut speaker = rig.join(0).await;
        let start = Instant::now();
        for _ in 0..5 {
            speaker.call("echo", json!(["x".repeat(60_000)])).await;
        }
        assert!(start.elapsed() > Duration::from_secs(1), "{:?}", start.elapsed());
        assert!(rig.app.quota.hits().get(Limit::AppBytesOutPerSecond) > 0);
    });
}

/// What a client missed is sent at its app's expense, too.
#[test]
fn replays_are_charged() {
    run(async {
        let rig = rig(Rates {
            app_bytes_out_per_second: 100_000,
            ..Rates::default()
        });
        let (mut speaker, mut client) = (rig.join(0).await, rig.join(0).await);
        client.call("join", json!(["red"])).await;
        client.cut();
        for _ in 0..4 {
            speaker.call("say", json!(["red", "x".repeat(60_000)])).await;
        }
        let start = Instant::now();
        let mut client = rig.recover(0, &client).await;
        client.until(4).await;
        // 240,000 bytes, of which a second's worth is free.
        speaker.call("echo", json!([1])).await;
        assert!(start.elapsed() > Duration::from_secs(1), "{:?}", start.elapsed());
    });
}

#[test]
fn no_more_sockets_than_allowed() {
    run(async {
        let rig = rig(Rates {
            sockets_max: 2,
            ..Rates::default()
        });
        let mut first = rig.join(0).await;
        first.send("40/admin,");
        let joined = first.text().await;
        assert!(joined.starts_with("40/admin,{"), "{joined}");
        let mut second = rig.dial(0).await;
        second.send("40");
        let refused = second.text().await;
        assert!(refused.starts_with("44{"), "{refused}");
        assert!(
            refused.contains(r#""data":{"code":"limit","limit":"sockets"}"#),
            "{refused}"
        );
        assert_eq!(rig.app.quota.hits().get(Limit::Sockets), 1);
        // A place is free again when a socket leaves for good.
        first.send("41/admin,");
        sleep(Duration::from_millis(10)).await;
        second.connect("40").await;
    });
}
