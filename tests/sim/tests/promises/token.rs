//! P2 for clients whose library knows nothing of recovery: a token of their own brings everything back.
use std::sync::Arc;

use serde_json::json;
use session::{AppSettings, TokenPlace};
use sim::{Client, Rig, run, settings};
use tokio::time::{Duration, sleep};

const CONNECT: &str = r#"40{"seat":"a-secret-of-its-own"}"#;

fn rig(cores: usize) -> Rig {
    let token = Some(TokenPlace::Auth(Arc::from("seat")));
    Rig::with(cores, AppSettings { token, ..settings() })
}

async fn come(rig: &Rig, core: usize, connect: &str) -> Client {
    let mut client = rig.dial(core).await;
    client.connect(connect).await;
    client
}

#[test]
fn p2_a_client_that_knows_no_recovery_comes_back_by_its_token() {
    run(async {
        let rig = rig(2);
        let mut speaker = rig.join(0).await;
        let mut client = come(&rig, 0, CONNECT).await;
        client.call("join", json!(["red"])).await;
        client.call("set", json!(["kept"])).await;
        speaker.call("say", json!(["red", "one"])).await;
        client.until(1).await;
        // Its pong after the next ping proves that it has "one".
        sleep(Duration::from_secs(26)).await;
        client.take_ready();
        speaker.take_ready();
        client.cut();
        speaker.call("say", json!(["red", "missed"])).await;
        sleep(Duration::from_secs(2)).await;
        let mut back = come(&rig, 1, CONNECT).await;
        assert_eq!(back.sid, client.sid);
        assert_eq!(back.texts(), ["missed"]);
        let me = back.call("whoami", json!([])).await;
        assert_eq!(
            me,
            json!([{ "sid": client.sid, "rooms": [client.sid, "red"], "state": "kept" }])
        );
        assert_eq!(*rig.calls.borrow(), ["connect /", "connect /"]);
    });
}

#[test]
fn what_a_client_has_not_proved_to_have_is_sent_again_unless_it_says_its_offset() {
    run(async {
        let rig = rig(1);
        let mut speaker = rig.join(0).await;
        let mut client = come(&rig, 0, CONNECT).await;
        client.call("join", json!(["red"])).await;
        speaker.call("say", json!(["red", "one"])).await;
        client.until(1).await;
        client.cut();
        speaker.call("say", json!(["red", "two"])).await;
        let mut back = come(&rig, 0, CONNECT).await;
        assert_eq!(back.texts(), ["one", "two"], "again rather than never");
        back.cut();
        let offset = client.offset.unwrap();
        let auth = json!({ "seat": "a-secret-of-its-own", "offset": offset });
        let back = come(&rig, 0, &format!("40{auth}")).await;
        assert_eq!(back.texts(), ["two"], "it said what it had");
        assert_eq!(back.sid, client.sid);
    });
}

/// Stock clients that know recovery may carry a token, too: for the times when their own claim is lost with the page.
#[test]
fn a_claim_beside_a_token_says_what_was_received_even_without_an_offset() {
    run(async {
        let rig = rig(1);
        let mut speaker = rig.join(0).await;
        let mut client = come(&rig, 0, CONNECT).await;
        client.call("join", json!(["red"])).await;
        speaker.call("say", json!(["red", "one"])).await;
        client.until(1).await;
        // Confirmed by a pong; yet the client says that it has nothing of it.
        sleep(Duration::from_secs(26)).await;
        client.take_ready();
        client.cut();
        let auth = json!({ "seat": "a-secret-of-its-own", "pid": client.pid });
        let back = come(&rig, 0, &format!("40{auth}")).await;
        assert_eq!(back.texts(), ["one"]);
        assert_eq!(back.sid, client.sid);
    });
}

#[test]
fn a_token_of_a_socket_that_is_gone_is_a_new_ones() {
    run(async {
        let rig = rig(1);
        let mut first = come(&rig, 0, CONNECT).await;
        first.leave();
        sleep(Duration::from_secs(1)).await;
        let mut second = come(&rig, 0, CONNECT).await;
        assert_ne!(second.sid, first.sid);
        second.cut();
        sleep(Duration::from_secs(121)).await;
        let mut third = come(&rig, 0, CONNECT).await;
        assert_ne!(third.sid, second.sid, "the window has passed");
        third.cut();
        let fourth = come(&rig, 0, CONNECT).await;
        assert_eq!(fourth.sid, third.sid);
        let other = come(&rig, 0, r#"40{"seat":"another-secret-of-its-own"}"#).await;
        assert_ne!(other.sid, third.sid);
    });
}
