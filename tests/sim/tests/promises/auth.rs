//! Apps that know their clients: nobody joins, speaks or comes back without a token that is good.
use std::{future::poll_fn, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture};
use serde_json::json;
use session::{
    AppSettings, AuthSettings, Credential, CredentialPlace, Handshake, OpenRequest, Outgoing, Protocol,
    Rejection, RejectionCode, TokenPlace, Verified, Verifier, WsPort,
};
use sim::{Client, Frame, Rig, run, settings};
use tokio::time::{Duration, Instant, sleep};

/// Takes `NAME:SECONDS` for a token about NAME that is good for so long, and `slow:…` only after five seconds.
#[derive(Debug)]
struct Honest;

impl Verifier for Honest {
    fn verify(&self, credential: Credential) -> BoxFuture<'static, Result<Verified, Rejection>> {
        async move {
            let reject = |code, message: &str| Rejection {
                code,
                message: message.to_owned(),
            };
            let token = credential
                .token
                .ok_or_else(|| reject(RejectionCode::Unauthorised, "a token is needed"))?;
            let (name, seconds) = token
                .split_once(':')
                .ok_or_else(|| reject(RejectionCode::Unauthorised, "that is no token"))?;
            if name == "slow" {
                sleep(Duration::from_secs(5)).await;
            }
            let seconds: u64 = seconds.parse().unwrap_or_default();
            if seconds == 0 {
                return Err(reject(RejectionCode::TokenExpired, "the token has expired"));
            }
            Ok(Verified {
                claims: json!({ "sub": name }).to_string(),
                subject: name.into(),
                expires_at_s: seconds,
                expires_in: Duration::from_secs(seconds),
            })
        }
        .boxed()
    }
}

fn asking() -> AppSettings {
    AppSettings {
        auth: Some(AuthSettings {
            verifier: Arc::new(Honest),
            places: vec![
                CredentialPlace::Auth("token".into()),
                CredentialPlace::Query("token".into()),
            ],
            required: true,
            expiry_grace: Duration::from_secs(30),
        }),
        ..settings()
    }
}

fn connect(token: &str) -> String {
    format!("40{}", json!({ "token": token }))
}

async fn join(rig: &Rig, token: &str) -> Client {
    let mut client = rig.dial(0).await;
    client.connect(&connect(token)).await;
    client
}

async fn answer(rig: &Rig, packet: &str) -> String {
    let mut client = rig.dial(0).await;
    client.send(packet);
    client.text().await
}

/// Lets time pass, and answers heartbeats.
async fn idle(client: &mut Client, seconds: u64) {
    for _ in 0..seconds {
        sleep(Duration::from_secs(1)).await;
        client.take_ready();
    }
}

/// Comes back with what `client` has, and a token.
async fn come_back(rig: &Rig, client: &Client, token: Option<&str>) -> (Client, String) {
    let mut next = rig.dial(0).await;
    let auth = json!({ "pid": client.pid, "token": token, "offset": client.offset });
    next.send(&format!("40{auth}"));
    let said = next.text().await;
    (next, said)
}

#[test]
fn nobody_joins_without_a_good_token_and_the_app_does_not_hear_of_them() {
    run(async {
        let rig = Rig::with(1, asking());
        let cases = [
            ("40", "unauthorised", "a token is needed"),
            (r#"40{"token":7}"#, "unauthorised", "a token is needed"),
            (r#"40{"token":"nonsense"}"#, "unauthorised", "that is no token"),
            (r#"40{"token":"ann:0"}"#, "token_expired", "the token has expired"),
        ];
        for (packet, code, message) in cases {
            let expected = json!({ "message": message, "data": { "code": code } });
            let said = answer(&rig, packet).await;
            let said: serde_json::Value = serde_json::from_str(said.strip_prefix("44").unwrap()).unwrap();
            assert_eq!(said, expected, "{packet}");
        }
        assert!(rig.calls.borrow().is_empty());
        let stats = rig.hubs[0].shards().stats("chat".into()).await;
        assert_eq!(stats.unauthorised, 4);
        join(&rig, "ann:60").await;
        assert_eq!(*rig.calls.borrow(), [r#"connect / {"sub":"ann"}"#]);
    });
}

#[test]
fn who_is_being_checked_keeps_nobody_waiting() {
    run(async {
        let rig = Rig::with(1, asking());
        let start = Instant::now();
        let mut slow = rig.dial(0).await;
        slow.send(&connect("slow:60"));
        let mut quick = join(&rig, "ann:60").await;
        assert_eq!(quick.call("echo", json!([1])).await, json!([1]));
        assert!(start.elapsed() < Duration::from_secs(1));
        assert!(slow.text().await.starts_with("40"));
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        // Its client does not wait for the answer.
        let mut gone = rig.dial(0).await;
        gone.send(&connect("slow:60"));
        gone.cut();
        sleep(Duration::from_secs(6)).await;
        assert_eq!(rig.calls.borrow().len(), 2);
    });
}

#[test]
fn an_expired_token_ends_the_right_to_speak_and_then_the_socket() {
    run(async {
        let rig = Rig::with(1, asking());
        let mut client = join(&rig, "ann:60").await;
        client.call("join", json!(["red"])).await;
        idle(&mut client, 59).await;
        assert_eq!(client.call("echo", json!(["in time"])).await, json!(["in time"]));
        idle(&mut client, 1).await;
        let refused = json!([{ "error": { "code": "token_expired", "message": "the token has expired" } }]);
        assert_eq!(client.call("echo", json!(["late"])).await, refused);
        client.emit("set", &json!(["late"]));
        let mut speaker = join(&rig, "bob:600").await;
        speaker.call("say", json!(["red", "still heard"])).await;
        client.until(1).await;
        idle(&mut client, 29).await;
        assert_eq!(rig.calls.borrow().len(), 2, "nobody left so far");
        sleep(Duration::from_secs(1)).await;
        assert_eq!(client.text().await, "41");
        assert_eq!(rig.calls.borrow()[2], "disconnect Server");
        // The connection is open: its client may join anew.
        client.connect(&connect("ann:60")).await;
    });
}

#[test]
fn a_new_token_renews_the_right_to_speak() {
    run(async {
        let rig = Rig::with(1, asking());
        let mut client = join(&rig, "ann:20").await;
        let renewed = client.call("wakeline:auth", json!(["ann:100"])).await;
        assert_eq!(renewed, json!([{ "ok": true, "expires_at": 100 }]));
        idle(&mut client, 24).await;
        assert_eq!(
            client.call("echo", json!([1])).await,
            json!([1]),
            "beyond the first"
        );
        for (args, code) in [
            (json!(["eve:100"]), "unauthorised"),
            (json!(["nonsense"]), "unauthorised"),
            (json!(["ann:0"]), "token_expired"),
            (json!([]), "unauthorised"),
            (json!([{ "token": "ann:5" }]), "unauthorised"),
        ] {
            let refused = client.call("wakeline:auth", args).await;
            assert_eq!(refused[0]["error"]["code"], code);
        }
        assert_eq!(
            client.call("echo", json!([2])).await,
            json!([2]),
            "the one before is still good"
        );
        assert_eq!(rig.calls.borrow().len(), 1, "no handler saw a token");
    });
}

#[test]
fn within_the_grace_a_new_token_is_in_time() {
    run(async {
        let rig = Rig::with(1, asking());
        let mut client = join(&rig, "ann:1").await;
        sleep(Duration::from_secs(20)).await;
        assert_eq!(
            client.call("echo", json!([1])).await[0]["error"]["code"],
            "token_expired"
        );
        // One is checked at a time.
        client.send(r#"427["wakeline:auth","slow:60"]"#);
        let second = client.call("wakeline:auth", json!(["ann:60"])).await;
        assert_eq!(second[0]["error"]["code"], "unauthorised");
        assert!(
            client.text().await.starts_with(r#"437[{"error""#),
            "slow is not ann"
        );
        client.call("wakeline:auth", json!(["ann:60"])).await;
        assert_eq!(client.call("echo", json!([2])).await, json!([2]));
        idle(&mut client, 20).await;
        assert_eq!(
            client.call("echo", json!([3])).await,
            json!([3]),
            "the first grace is forgotten"
        );
    });
}

#[test]
fn recovery_needs_a_token_about_the_same_subject() {
    run(async {
        let rig = Rig::with(2, asking());
        let mut client = join(&rig, "ann:600").await;
        client.call("join", json!(["red"])).await;
        client.cut();
        let mut speaker = join(&rig, "bob:600").await;
        speaker.call("say", json!(["red", "missed"])).await;
        let (_, said) = come_back(&rig, &client, None).await;
        assert!(said.starts_with("44"), "{said}");
        let (_, said) = come_back(&rig, &client, Some("ann:0")).await;
        assert!(said.contains("token_expired"), "{said}");
        // Somebody else's token: a socket of their own.
        let (_, said) = come_back(&rig, &client, Some("eve:600")).await;
        assert!(said.starts_with("40") && !said.contains(&client.sid), "{said}");
        let (mut back, said) = come_back(&rig, &client, Some("ann:30")).await;
        assert!(said.contains("missed"), "{said}");
        let said = back.text().await;
        assert!(said.starts_with("40") && said.contains(&client.sid), "{said}");
        // And the new token's end is the one that counts.
        idle(&mut back, 24).await;
        sleep(Duration::from_secs(6)).await;
        assert_eq!(
            back.call("echo", json!([1])).await[0]["error"]["code"],
            "token_expired"
        );
        // In a new process as well.
        back.cut();
        sleep(Duration::from_secs(1)).await;
        let rig = rig.restarted(1);
        let (_, said) = come_back(&rig, &client, Some("eve:600")).await;
        assert!(said.starts_with("40") && !said.contains(&client.sid), "{said}");
        let (_, said) = come_back(&rig, &client, Some("ann:600")).await;
        assert!(said.contains(&client.sid) || said.starts_with("42"), "{said}");
    });
}

#[test]
fn a_token_of_recovery_does_not_stand_for_who_one_is() {
    run(async {
        let token = Some(TokenPlace::Auth("seat".into()));
        let rig = Rig::with(1, AppSettings { token, ..asking() });
        let come = async |who: &str| {
            let mut client = rig.dial(0).await;
            let auth = json!({ "token": who, "seat": "a-secret-of-its-own" });
            client.connect(&format!("40{auth}")).await;
            client
        };
        let ann = come("ann:600").await;
        assert_eq!(come("ann:500").await.sid, ann.sid);
        assert_ne!(come("eve:600").await.sid, ann.sid);
    });
}

#[test]
fn where_no_token_is_required_one_that_is_shown_must_be_good() {
    run(async {
        let mut settings = asking();
        settings.auth.as_mut().unwrap().required = false;
        let rig = Rig::with(1, settings);
        let mut guest = rig.join(0).await;
        assert_eq!(rig.calls.borrow()[0], "connect /");
        assert!(answer(&rig, &connect("nonsense")).await.starts_with("44"));
        let refused = guest.call("wakeline:auth", json!(["ann:60"])).await;
        assert_eq!(refused[0]["error"]["code"], "unauthorised");
        let ann = join(&rig, "ann:60").await;
        let (_, said) = come_back(&rig, &ann, None).await;
        assert!(
            said.starts_with("40") && !said.contains(&ann.sid),
            "a guest is not ann: {said}"
        );
        idle(&mut guest, 24).await;
        assert_eq!(
            guest.call("echo", json!([1])).await,
            json!([1]),
            "who has no token has none to expire"
        );
    });
}

async fn next(port: &mut WsPort) -> Outgoing {
    loop {
        match poll_fn(|cx| port.poll_outgoing(cx)).await {
            Outgoing::Ping => port.receive_pong(),
            Outgoing::Text(text) if text == "2" => port.receive_text("3".into()),
            other => return other,
        }
    }
}

#[test]
fn raw_clients_are_closed_with_a_code_that_says_why() {
    run(async {
        let rig = Rig::with(1, asking());
        for protocol in [Protocol::WebSocket, Protocol::EngineIo] {
            let open = |token: &str| {
                let request = OpenRequest {
                    handshake: Handshake {
                        query: [("token".to_owned(), token.to_owned())].into(),
                        ..Handshake::default()
                    },
                    ..rig.request(protocol)
                };
                rig.hubs[0].open_websocket(request).unwrap()
            };
            let mut refused = open("nonsense");
            refused.receive_text("4too early".into());
            assert_eq!(next(&mut refused).await, Outgoing::Close(Some(1008)));
            let mut taken = open("ann:5");
            if protocol == Protocol::EngineIo {
                assert!(
                    matches!(next(&mut taken).await, Outgoing::Text(_)),
                    "the handshake"
                );
            }
            // The grace's end.
            assert_eq!(next(&mut taken).await, Outgoing::Close(Some(1008)));
        }
        assert_eq!(
            *rig.calls.borrow(),
            [
                r#"connect raw:websocket {"sub":"ann"}"#,
                "disconnect Server",
                r#"connect raw:engineio {"sub":"ann"}"#,
                "disconnect Server"
            ]
        );
    });
}

#[test]
fn one_namespace_left_for_want_of_a_token_leaves_the_others() {
    run(async {
        let rig = Rig::with(1, asking());
        let mut client = join(&rig, "ann:1").await;
        client.send(&format!("40/admin,{}", json!({ "token": "root:600" })));
        assert!(client.text().await.starts_with("40/admin,"));
        for _ in 0..2 {
            sleep(Duration::from_secs(20)).await;
        }
        let mut left = false;
        while let Frame::Text(text) = client.frame().await {
            match text.as_str() {
                "2" => client.send("3"),
                "41" => {
                    left = true;
                    client.send(r#"42/admin,1["echo",1]"#);
                }
                "43/admin,1[1]" => break,
                other => panic!("{other}"),
            }
        }
        assert!(left);
    });
}
