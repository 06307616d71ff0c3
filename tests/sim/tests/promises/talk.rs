//! Connections, handlers, rooms, acks, and how they end.
use serde_json::json;
use session::{Opened, PollBody, Protocol, Refusal};
use sim::{Frame, Rig, run, settings};
use tokio::time::{Duration, sleep};

#[test]
fn an_ack_follows_the_emits_of_its_handler() {
    run(async {
        let rig = Rig::new(1);
        let mut client = rig.join(0).await;
        client.call("tell-me", json!(["first"])).await;
        assert_eq!(client.texts(), ["first"]);
        assert_eq!(client.call("echo", json!([1, "a"])).await, json!([1, "a"]));
    });
}

#[test]
fn a_failed_call_answers_its_ack_and_closes_nothing() {
    run(async {
        let rig = Rig::new(1);
        let mut client = rig.join(0).await;
        let answer = client.call("nonsense", json!([])).await;
        assert_eq!(answer[0]["error"]["code"], "handler_error");
        assert_eq!(client.call("echo", json!(["on"])).await, json!(["on"]));
    });
}

#[test]
fn a_refusal_reaches_the_client_with_its_data() {
    run(async {
        let rig = Rig::new(1);
        let mut client = rig.dial(0).await;
        client.send("40{\"token\":\"deny\"}");
        assert_eq!(client.text().await, r#"44{"message":"no","data":{"code":42}}"#);
        client.send("40/nope,");
        assert_eq!(client.text().await, r#"44/nope,{"message":"Invalid namespace"}"#);
        client.connect("40").await;
    });
}

#[test]
fn polling_opens_posts_and_polls_from_any_core() {
    run(async {
        let rig = Rig::new(2);
        let Opened { sid, body } = rig.hubs[0].open_polling(rig.request(Protocol::SocketIo)).unwrap();
        assert!(body.0.starts_with(b"0{\"sid\":\""));
        let poll = |core: usize| rig.hubs[core].poll("chat", &sid);
        let pending = tokio::task::spawn_local(poll(1));
        rig.hubs[1].post("chat", &sid, "40".into()).await.unwrap();
        let PollBody(connected) = pending.await.unwrap().unwrap();
        assert!(connected.starts_with(b"40{\"sid\":\""), "{connected:?}");
        rig.hubs[0]
            .post("chat", &sid, "420[\"echo\",1]\u{1e}421[\"echo\",2]".into())
            .await
            .unwrap();
        assert_eq!(poll(1).await.unwrap(), PollBody("430[1]\u{1e}431[2]".into()));
        assert_eq!(
            rig.hubs[0].poll("other", &sid).await,
            Err(Refusal::SessionUnknown)
        );
        assert_eq!(
            rig.hubs[0].poll("chat", "nope").await,
            Err(Refusal::SessionUnknown)
        );
        drop(poll(1));
        let aborted = tokio::task::spawn_local(poll(1));
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        aborted.abort();
        sleep(Duration::from_millis(1)).await;
        assert_eq!(
            poll(0).await,
            Err(Refusal::SessionUnknown),
            "an aborted poll ends its session"
        );
    });
}

#[test]
fn rooms_reach_all_cores_and_exceptions_none() {
    run(async {
        let rig = Rig::new(2);
        let (mut a, mut b, mut c) = (rig.join(0).await, rig.join(1).await, rig.join(1).await);
        a.call("join", json!(["red"])).await;
        b.call("join", json!(["red"])).await;
        c.call("join", json!(["blue"])).await;
        a.call("others", json!(["red", "hello"])).await;
        b.until(1).await;
        assert_eq!(b.texts(), ["hello"]);
        a.call("echo", json!([])).await;
        c.call("echo", json!([])).await;
        assert!(a.received.is_empty() && c.received.is_empty());
        b.call("leave", json!(["red"])).await;
        a.call("say", json!(["red", "again"])).await;
        b.call("echo", json!([])).await;
        assert_eq!(
            (a.texts(), b.texts()),
            (vec!["again".to_owned()], vec!["hello".to_owned()])
        );
    });
}

#[test]
fn disconnects_of_both_sides_are_final() {
    run(async {
        let rig = Rig::new(1);
        let (mut a, mut b, mut c) = (rig.join(0).await, rig.join(0).await, rig.join(0).await);
        a.leave();
        sleep(Duration::from_millis(1)).await;
        assert!(!rig.recover(0, &a).await.recovered);
        c.call("kick", json!([b.sid])).await;
        assert_eq!(b.text().await, "41");
        b.cut();
        assert!(!rig.recover(0, &b).await.recovered);
        let sid = c.sid.clone();
        c.emit("kick", &json!([sid, "close"]));
        assert_eq!(c.frame().await, Frame::Close(None));
        let calls = rig.calls.borrow().join(", ");
        assert!(
            calls.contains("disconnect Client") && calls.contains("disconnect Server"),
            "{calls}"
        );
    });
}

#[test]
fn asking_a_client_is_answered_or_times_out() {
    run(async {
        let rig = Rig::new(2);
        let (mut asker, mut client) = (rig.join(0).await, rig.join(1).await);
        asker.call("ask", json!([client.sid])).await;
        assert_eq!(client.text().await, r#"420["question"]"#);
        client.send("430[\"yes\"]");
        asker.call("ask", json!([client.sid])).await;
        assert_eq!(client.text().await, r#"421["question"]"#);
        sleep(Duration::from_secs(6)).await;
        client.send("431[\"too late\"]");
        client.call("echo", json!([])).await;
        assert_eq!(rig.calls.borrow()[2..], ["ack t1 true", "ack t1 false"]);
    });
}

#[test]
fn asking_many_clients_brings_their_answers_back_as_one() {
    run(async {
        let rig = Rig::new(3);
        let mut asker = rig.join(0).await;
        let mut asked = vec![rig.join(0).await, rig.join(1).await, rig.join(1).await];
        for client in &mut asked {
            client.call("join", json!(["red"])).await;
        }
        let calls = || rig.calls.borrow()[4..].to_vec();
        asker.call("ask-all", json!(["red"])).await;
        for client in &mut asked {
            assert_eq!(client.text().await, r#"420["question"]"#);
        }
        for (answer, client) in asked.iter_mut().enumerate() {
            client.send(&format!("430[{answer}]"));
        }
        // The clock moves when all cores are done.
        sleep(Duration::from_millis(1)).await;
        assert_eq!(calls(), ["collected [0] [1] [2] missing 0 partial "]);
        asker.call("ask-all", json!(["red"])).await;
        asked[1].text().await;
        asked[1].send("431[\"only one\"]");
        sleep(Duration::from_secs(7)).await;
        assert_eq!(calls()[1..], ["collected [\"only one\"] missing 2 partial "]);
        asker.call("ask-all", json!(["empty"])).await;
        // The clock moves when all cores are done.
        sleep(Duration::from_millis(1)).await;
        assert_eq!(calls()[2..], ["collected  missing 0 partial "]);
    });
}

#[test]
fn p8_a_slow_client_is_closed_and_recovers() {
    run(async {
        let rig = Rig::new(1);
        let (mut speaker, mut slow) = (rig.join(0).await, rig.join(0).await);
        slow.call("join", json!(["red"])).await;
        let long = "x".repeat(10_000);
        for i in 0..150 {
            speaker.call("say", json!(["red", format!("{i} {long}")])).await;
        }
        assert_eq!(
            slow.frame().await,
            Frame::Close(Some(1013)),
            "what waited is dropped, not sent late"
        );
        let mut slow = rig.recover(0, &slow).await;
        assert!(slow.recovered);
        // More than goes with the CONNECT in one piece: it came first.
        slow.until(150).await;
    });
}

#[test]
fn p10_a_drain_closes_connections_and_every_client_recovers() {
    run(async {
        let rig = Rig::new(1);
        let mut clients = vec![];
        for _ in 0..50 {
            clients.push(rig.join(0).await);
        }
        let draining = tokio::task::spawn_local({
            let hub = rig.hubs[0].clone();
            async move { hub.drain(100).await }
        });
        for client in &mut clients {
            assert_eq!(
                client.frame().await,
                Frame::Close(None),
                "a close, never a DISCONNECT packet"
            );
        }
        draining.await.unwrap();
        assert!(
            rig.hubs[0]
                .open_websocket(rig.request(Protocol::SocketIo))
                .is_err()
        );
        let next = rig.restarted(1);
        for client in &clients {
            assert!(next.recover(0, client).await.recovered);
        }
        assert!(
            !rig.calls
                .borrow()
                .iter()
                .any(|call| call.starts_with("disconnect"))
        );
    });
}

#[test]
fn a_silent_client_times_out() {
    run(async {
        let rig = Rig::new(1);
        let mut client = rig.join(0).await;
        assert_eq!(client.frame().await, Frame::Text("2".into()));
        assert_eq!(client.frame().await, Frame::Close(None));
    });
}

#[test]
fn raw_clients_echo_and_are_told_of_failures_by_closing() {
    run(async {
        let rig = Rig::with(
            1,
            session::AppSettings {
                recovery: None,
                ..settings()
            },
        );
        let mut port = rig.hubs[0]
            .open_websocket(rig.request(Protocol::WebSocket))
            .unwrap();
        port.receive_text("hello".into());
        sleep(Duration::from_millis(1)).await;
        assert_eq!(*rig.calls.borrow(), ["connect raw:websocket"]);
        drop(port);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(rig.calls.borrow()[1..], ["disconnect TransportError"]);
    });
}
