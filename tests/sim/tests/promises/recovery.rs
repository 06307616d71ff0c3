//! P2: what comes back, and when a client is told that it does not.
use serde_json::json;
use sim::{Rig, run};
use tokio::time::{Duration, advance, sleep};

#[test]
fn p2_a_client_gets_what_it_missed_on_any_core() {
    run(async {
        let rig = Rig::new(2);
        let (mut speaker, mut client) = (rig.join(0).await, rig.join(0).await);
        client.call("join", json!(["red"])).await;
        client.call("set", json!(["kept"])).await;
        speaker.call("say", json!(["red", "one"])).await;
        client.until(1).await;
        for core in [1, 0, 0, 1] {
            client.cut();
            speaker.call("say", json!(["red", "missed"])).await;
            speaker.call("say", json!(["blue", "not meant"])).await;
            sleep(Duration::from_secs(2)).await;
            let next = rig.recover(core, &client).await;
            assert!(next.recovered);
            assert_eq!(next.sid, client.sid);
            client = next;
            speaker.call("say", json!(["red", "live"])).await;
            let count = client.received.len() + 1;
            client.until(count).await;
        }
        let expected = [
            "one", "missed", "live", "missed", "live", "missed", "live", "missed", "live",
        ];
        assert_eq!(client.texts(), expected);
        let me = client.call("whoami", json!([])).await;
        assert_eq!(
            me,
            json!([{ "sid": client.sid, "rooms": [client.sid, "red"], "state": "kept" }])
        );
        assert_eq!(
            *rig.calls.borrow(),
            ["connect /", "connect /"],
            "recovery calls no handler"
        );
    });
}

#[test]
fn p2_a_client_that_never_received_an_event_recovers() {
    run(async {
        let rig = Rig::new(1);
        let (mut speaker, mut client) = (rig.join(0).await, rig.join(0).await);
        client.call("join", json!(["red"])).await;
        client.cut();
        speaker.call("say", json!(["red", "one"])).await;
        let mut client = rig.recover(0, &client).await;
        assert!(client.recovered);
        assert_eq!(client.texts(), ["one"]);
        client.cut();
        let client = rig.recover(0, &client).await;
        assert!(client.recovered);
        assert_eq!(client.texts(), ["one"], "twice");
    });
}

#[test]
fn p2_a_volatile_last_event_does_not_poison_the_offset() {
    run(async {
        let rig = Rig::new(1);
        let (mut speaker, mut client) = (rig.join(0).await, rig.join(0).await);
        client.call("join", json!(["red"])).await;
        speaker.call("say", json!(["red", "one"])).await;
        speaker.call("murmur", json!(["red", "poison"])).await;
        client.until(2).await;
        client.cut();
        speaker.call("say", json!(["red", "two"])).await;
        let client = rig.recover(0, &client).await;
        assert!(client.recovered);
        assert_eq!(client.texts(), ["one", "poison", "two"]);
    });
}

#[test]
fn p2_a_zombie_is_evicted() {
    run(async {
        let rig = Rig::new(2);
        let (mut speaker, mut client) = (rig.join(0).await, rig.join(0).await);
        client.call("join", json!(["red"])).await;
        // The server does not know that this connection is dead: it writes into it.
        speaker.call("say", json!(["red", "unseen"])).await;
        let next = rig.recover(1, &client).await;
        assert!(next.recovered);
        assert_eq!(next.texts(), ["unseen"]);
        while client.take_ready() {
            sleep(Duration::from_millis(1)).await;
        }
        advance(Duration::from_secs(200)).await;
        assert!(
            !rig.calls
                .borrow()
                .iter()
                .any(|call| call.starts_with("disconnect")),
            "{:?}",
            rig.calls.borrow()
        );
    });
}

#[test]
fn p2_idle_for_hours() {
    run(async {
        let rig = Rig::new(1);
        let (mut speaker, mut client) = (rig.join(0).await, rig.join(0).await);
        client.call("join", json!(["red"])).await;
        speaker.call("say", json!(["red", "old"])).await;
        client.until(1).await;
        for _ in 0..12_000 {
            speaker.call("say", json!(["blue", "noise"])).await;
        }
        for idle in [&mut client, &mut speaker] {
            idle.cut();
        }
        let mut client = rig.recover(0, &client).await;
        assert!(
            client.recovered,
            "its offset left the log, but nothing was meant for it since"
        );
        client.cut();
        let mut speaker = rig.recover(0, &speaker).await;
        assert!(speaker.recovered);
        speaker.call("say", json!(["red", "new"])).await;
        let client = rig.recover(0, &client).await;
        assert_eq!(client.texts(), ["old", "new"]);
    });
}

#[test]
fn p2_a_gap_is_told() {
    run(async {
        let rig = Rig::new(1);
        let (mut speaker, mut client) = (rig.join(0).await, rig.join(0).await);
        client.call("join", json!(["red"])).await;
        client.cut();
        for i in 0..10_050 {
            speaker.call("say", json!(["red", i.to_string()])).await;
        }
        let client = rig.recover(0, &client).await;
        assert!(!client.recovered);
        assert!(client.received.is_empty(), "no replay without completeness");
        sleep(Duration::from_millis(1)).await;
        assert!(
            rig.calls
                .borrow()
                .iter()
                .any(|call| call == "disconnect RecoveryExpired")
        );
    });
}

#[test]
fn p2_the_window_passes() {
    run(async {
        let rig = Rig::new(1);
        let mut client = rig.join(0).await;
        client.cut();
        sleep(Duration::from_secs(119)).await;
        assert_eq!(*rig.calls.borrow(), ["connect /"]);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(*rig.calls.borrow(), ["connect /", "disconnect TransportError"]);
        assert!(!rig.recover(0, &client).await.recovered);
    });
}

#[test]
fn p2_a_restart_of_the_process() {
    run(async {
        let rig = Rig::new(2);
        let (mut speaker, mut client) = (rig.join(0).await, rig.join(1).await);
        client.call("join", json!(["red"])).await;
        client.call("set", json!(["kept"])).await;
        speaker.call("say", json!(["red", "one"])).await;
        client.until(1).await;
        speaker.call("say", json!(["red", "two"])).await;
        let rig = rig.restarted(1);
        let client = rig.recover(0, &client).await;
        assert!(client.recovered);
        assert_eq!(client.texts(), ["one", "two"]);
        sleep(Duration::from_secs(130)).await;
        assert_eq!(
            *rig.calls.borrow(),
            ["disconnect TransportError"],
            "the speaker never came back"
        );
    });
}

#[test]
fn joins_are_remembered_at_their_place() {
    run(async {
        let rig = Rig::new(1);
        let (mut speaker, mut client) = (rig.join(0).await, rig.join(0).await);
        speaker.call("say", json!(["red", "before"])).await;
        client.call("join", json!(["red"])).await;
        speaker.call("say", json!(["red", "during"])).await;
        client.call("leave", json!(["red"])).await;
        speaker.call("say", json!(["red", "after"])).await;
        // It received nothing, as far as it knows.
        client.offset = None;
        client.received.clear();
        let client = rig.recover(0, &client).await;
        assert_eq!(client.texts(), ["during"]);
    });
}

#[test]
fn an_away_socket_is_moved_and_dropped_by_others() {
    run(async {
        let rig = Rig::new(2);
        let (mut speaker, mut client, mut other) = (rig.join(0).await, rig.join(1).await, rig.join(1).await);
        client.cut();
        other.cut();
        speaker.call("invite", json!([client.sid, "red"])).await;
        speaker.call("say", json!(["red", "for the invited"])).await;
        speaker.call("kick", json!([other.sid])).await;
        let client = rig.recover(0, &client).await;
        assert!(client.recovered);
        assert_eq!(client.texts(), ["for the invited"]);
        assert!(!rig.recover(0, &other).await.recovered);
    });
}
