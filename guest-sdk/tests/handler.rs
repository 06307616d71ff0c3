//! What `#[handler]` makes of an impl block, seen by clients of a test app.
#![allow(
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    clippy::unwrap_used,
    reason = "a test, and handlers have the shape that clients' events give them"
)]
use std::{collections::BTreeMap, time::Duration};

use wakeline_sdk::{
    kv,
    prelude::*,
    test::{TestApp, TestSocket},
    timers,
};

struct App;

#[derive(Default, Serialize, Deserialize)]
struct State {
    count: u32,
}

#[derive(Serialize, Deserialize)]
struct Album {
    title: String,
    pictures: Vec<Bytes>,
    cover: Option<Bytes>,
    by_name: BTreeMap<String, Bytes>,
}

#[wakeline_sdk::handler]
impl App {
    #[connect]
    fn connect(handshake: &Handshake) -> Result<(), Refusal> {
        if handshake.query("banned").is_some() {
            return Err(Refusal::new("banned").with_data(&json!({ "until": 2030 })));
        }
        Ok(())
    }

    #[connect(namespace = "/admin")]
    fn connect_admin(socket: &Socket, handshake: &Handshake) -> Result<()> {
        let auth: Value = handshake.auth()?;
        match auth["key"].as_str() {
            Some("sesame") => socket.join("admins"),
            _ => Err(Error::msg("no entry")),
        }
    }

    #[on("add")]
    fn add(a: i64, b: Option<i64>) -> Result<i64> {
        Ok(a + b.unwrap_or(100))
    }

    #[on("shout")]
    fn shout(ack: Ack, text: &str, socket: &Socket) -> Result<()> {
        socket.broadcast().emit("shout", (text, text.len()))?;
        ack.send(("done", text.len()))
    }

    #[on("who")]
    fn who() -> Result<&'static str> {
        Ok("app")
    }

    #[on("who", namespace = "/admin")]
    fn who_admin(socket: &Socket) -> Result<String> {
        Ok(format!("admin of {}", socket.namespace()))
    }

    #[on("album")]
    fn album(socket: &Socket, album: Album, ack: Ack) -> Result<()> {
        let size: usize = album.pictures.iter().map(|picture| picture.len()).sum();
        socket.emit("album", &album)?;
        ack.send((size, &album.cover))
    }

    #[on("fail")]
    fn fail(socket: &Socket) -> Result<()> {
        socket.join("nowhere")?;
        socket.set_state(&State { count: 99 })?;
        socket.emit("never", ())?;
        kv::set("key", "lost")?;
        assert!(socket.rooms()?.contains(&"nowhere".to_owned()));
        assert_eq!(socket.state::<State>()?.count, 99);
        assert_eq!(kv::get::<String>("key")?.as_deref(), Some("lost"));
        Err(Error::msg("on second thoughts"))
    }

    #[on("count")]
    fn count(socket: &Socket) -> Result<u32> {
        socket.update_state(|state: &mut State| {
            state.count += 1;
            state.count
        })
    }

    #[on("ask")]
    fn ask(socket: &Socket) -> Result<()> {
        socket.emit_with_ack("question", "sure?", "sure", Duration::from_secs(1))?;
        socket.emit_with_ack("question", "really?", "really", Duration::from_secs(1))
    }

    #[on_ack("sure")]
    fn sure(socket: &Socket, answer: Answer) -> Result<()> {
        let yes = answer.args::<(bool,)>()?.is_some_and(|(yes,)| yes);
        socket.emit("sure", yes)
    }

    #[on_ack]
    fn other_answer(token: &str, answer: Answer, socket: &Socket) -> Result<()> {
        socket.emit("other", (token, answer == Answer::TimedOut))
    }

    #[on("remind")]
    fn remind(after_ms: u64, text: String) -> Result<()> {
        timers::set("reminder", Duration::from_millis(after_ms), &text)
    }

    #[timer("reminder")]
    fn reminder(text: String) -> Result<()> {
        io().emit("reminder", text)
    }

    #[fallback]
    fn any(socket: &Socket, event: Event) -> Result<()> {
        let name = format!("any {}", event.name());
        socket.emit(&name, event.into_args())
    }

    #[disconnect]
    fn disconnect(reason: DisconnectReason) -> Result<()> {
        kv::update("left", |left: &mut Vec<String>| left.push(format!("{reason:?}")))
    }
}

fn client() -> (TestApp, TestSocket) {
    let app = TestApp::new::<App>();
    let client = app.connect("/").unwrap();
    (app, client)
}

#[test]
fn arguments_are_typed_and_the_value_returned_is_the_ack() {
    let (_app, client) = client();
    assert_eq!(client.emit_with_ack("add", (1, 2)).unwrap(), json!([3]));
    assert_eq!(
        client.emit_with_ack("add", (1, 2, "ignored")).unwrap(),
        json!([3])
    );
    assert_eq!(client.emit_with_ack("add", 1).unwrap(), json!([101]));
    client.emit("add", (1, 2)).unwrap();
}

#[test]
fn errors_name_the_event_and_the_argument() {
    let (_app, client) = client();
    let text = |args: Value| client.emit("add", args).unwrap_err().to_string();
    assert_eq!(
        client.emit("add", ()).unwrap_err().to_string(),
        "event \"add\": argument 1 (`a`) is missing"
    );
    let wrong =
        "event \"add\": argument 1 (`a`): invalid type: string \"1\", expected i64 at line 1 column 3";
    assert_eq!(text(json!("1")), wrong);
    assert!(
        client
            .emit("add", (1, "2"))
            .unwrap_err()
            .to_string()
            .contains("argument 2 (`b`)")
    );
}

#[test]
fn an_ack_may_have_several_arguments_and_come_from_any_position() {
    let (app, client) = client();
    let other = app.connect("/").unwrap();
    assert_eq!(client.emit_with_ack("shout", "hey").unwrap(), json!(["done", 3]));
    assert_eq!(other.received(), [("shout", json!(["hey", 3]))]);
    assert!(client.received().is_empty());
}

#[test]
fn namespaces_have_their_own_functions() {
    let (app, client) = client();
    assert_eq!(app.connect("/admin").err().unwrap().message(), "no entry");
    let admin = app
        .connect_with_auth("/admin", &json!({ "key": "sesame" }))
        .unwrap();
    assert_eq!(admin.rooms(), ["admins"]);
    assert_eq!(client.emit_with_ack("who", ()).unwrap(), json!(["app"]));
    assert_eq!(
        admin.emit_with_ack("who", ()).unwrap(),
        json!(["admin of /admin"])
    );
    admin.emit_with_ack("shout", "hey").unwrap();
    assert!(client.received().is_empty());
}

#[test]
fn a_refusal_has_a_message_and_data() {
    let (app, _) = client();
    let mut handshake = Handshake::default();
    handshake.namespace = "/".to_owned();
    handshake.query = vec![("banned".to_owned(), String::new())];
    let refusal = app.connect_with(&handshake).err().unwrap();
    assert_eq!(
        (refusal.message(), refusal.data()),
        ("banned", Some(r#"{"until":2030}"#))
    );
}

#[test]
fn bytes_travel_as_attachments_wherever_they_stand() {
    let (_app, client) = client();
    let album = Album {
        title: "cats".to_owned(),
        pictures: vec![[1, 2].into(), [3].into()],
        cover: Some([9; 4].into()),
        by_name: BTreeMap::from([("tom".to_owned(), Bytes::from([7]))]),
    };
    let answer = client.emit_with_ack("album", &album).unwrap();
    let (size, cover): (usize, Option<Bytes>) = answer.parse().unwrap();
    assert_eq!((size, cover), (3, Some([9; 4].into())));
    let received = client.received().remove(0).args;
    assert_eq!(received.attachments().len(), 4);
    let back: Album = received.get(0).unwrap();
    assert_eq!(
        (
            back.title,
            back.pictures[1].to_vec(),
            back.by_name["tom"].to_vec()
        ),
        (album.title, vec![3], vec![7])
    );
}

#[test]
fn hostile_placeholders_are_errors() {
    let (_app, client) = client();
    for num in ["1", "-1", "\"0\"", "18446744073709551616", "{}"] {
        let json = format!(
            r#"[{{"title":"x","pictures":[{{"_placeholder":true,"num":{num}}}],"cover":null,"by_name":{{}}}}]"#
        );
        let args = Args::from_raw(json, vec![[0].into()]);
        assert!(client.emit("album", args).is_err(), "{num}");
    }
    for picture in [r#""AAAA""#, "{}", r#"{"_placeholder":false,"num":0}"#, "[1]"] {
        let json = format!(r#"[{{"title":"x","pictures":[{picture}],"cover":null,"by_name":{{}}}}]"#);
        assert!(
            client
                .emit("album", Args::from_raw(json, vec![[0].into()]))
                .is_err(),
            "{picture}"
        );
    }
}

#[test]
fn a_failed_call_leaves_no_trace() {
    let (app, client) = client();
    assert_eq!(
        client.emit("fail", ()).unwrap_err().to_string(),
        "on second thoughts"
    );
    assert!(client.received().is_empty() && client.rooms().is_empty());
    assert_eq!(client.state::<State>().unwrap().count, 0);
    assert_eq!(app.kv::<String>("key").unwrap(), None);
    assert_eq!(client.emit_with_ack("count", ()).unwrap(), json!([1]));
    assert_eq!(client.emit_with_ack("count", ()).unwrap(), json!([2]));
}

#[test]
fn answers_find_their_function_by_token() {
    let (_app, client) = client();
    client.emit("ask", ()).unwrap();
    client.received();
    client.answer("sure", true).unwrap();
    client.time_out("really").unwrap();
    assert_eq!(
        client.received(),
        [("sure", json!([true])), ("other", json!(["really", true]))]
    );
    assert!(client.answer("sure", true).is_err());
}

#[test]
fn timers_carry_a_payload() {
    let (app, client) = client();
    client.emit("remind", (1500, "tea")).unwrap();
    assert_eq!(
        app.timers(),
        [("reminder".to_owned(), Duration::from_millis(1500))]
    );
    app.fire_timer("reminder").unwrap();
    assert_eq!(client.received(), [("reminder", json!(["tea"]))]);
}

#[test]
fn other_events_fall_to_the_fallback() {
    let (_app, client) = client();
    client.emit("what", (1, Bytes::from([2]))).unwrap();
    let received = client.received();
    assert_eq!(received[0].name, "any what");
    assert_eq!(received[0].args.attachments(), [vec![2]]);
}

#[test]
fn reasons_of_leaving_are_told() {
    let (app, client) = client();
    app.connect("/")
        .unwrap()
        .disconnect_with(DisconnectReason::RecoveryExpired)
        .unwrap();
    client.disconnect().unwrap();
    assert_eq!(
        app.kv::<Vec<String>>("left").unwrap().unwrap(),
        ["RecoveryExpired", "Client"]
    );
    assert!(!client.is_connected());
}

struct Strict;

#[wakeline_sdk::handler]
impl Strict {
    #[on("nobody")]
    fn nobody(socket: &Socket) -> Result<()> {
        let none: Vec<String> = Vec::new();
        socket.to(none.clone()).emit("x", ())?;
        io().to(none).emit("x", ())
    }
}

#[test]
fn without_a_fallback_a_waiting_client_is_told() {
    let app = TestApp::new::<Strict>();
    let client = app.connect("/").unwrap();
    client.emit("unknown", ()).unwrap();
    assert!(client.emit_with_ack("unknown", ()).is_err());
    assert_eq!(app.logs()[0].1, "no handler for the event \"unknown\"");
}

#[test]
fn an_empty_list_of_rooms_is_nobody() {
    let app = TestApp::new::<Strict>();
    let clients = [app.connect("/").unwrap(), app.connect("/").unwrap()];
    clients[0].emit("nobody", ()).unwrap();
    assert!(clients.iter().all(|client| client.received().is_empty()));
}

#[test]
fn bytes_outside_of_arguments_are_base64() {
    for (bytes, text) in [
        (&b""[..], "\"\""),
        (b"f", "\"Zg==\""),
        (b"fo", "\"Zm8=\""),
        (b"foo", "\"Zm9v\""),
        (&[255, 254, 253, 0], "\"//79AA==\""),
    ] {
        let bytes = Bytes::from(bytes);
        assert_eq!(wakeline_sdk::serde_json::to_string(&bytes).unwrap(), text);
        assert_eq!(wakeline_sdk::serde_json::from_str::<Bytes>(text).unwrap(), bytes);
    }
    assert!(wakeline_sdk::serde_json::from_str::<Bytes>("\"Zg=\"").is_err());
    assert!(wakeline_sdk::serde_json::from_str::<Bytes>("{\"_placeholder\":true,\"num\":0}").is_err());
}
