use wakeline_sdk::test::TestApp;

use super::*;

#[test]
fn echo_answers_json_and_binary_untouched() {
    let app = TestApp::new::<Bench>();
    let client = app.connect("/").unwrap();
    let args = json!([{ "a": [1, null] }]);
    assert_eq!(client.emit_with_ack("echo", (&args[0],)).unwrap(), args);
    let answer = client.emit_with_ack("echo", Bytes::from([1, 2, 3])).unwrap();
    assert_eq!(answer.parse::<(Bytes,)>().unwrap().0, vec![1, 2, 3]);
}

#[test]
fn say_reaches_the_room_only() {
    let app = TestApp::new::<Bench>();
    let (ann, bob, eve) = (
        app.connect("/").unwrap(),
        app.connect("/").unwrap(),
        app.connect("/").unwrap(),
    );
    for client in [&ann, &bob] {
        assert_eq!(client.emit_with_ack("join", "r").unwrap(), json!([]));
    }
    eve.emit("say", ("r", &json!({ "t": 1 }))).unwrap();
    ann.emit("say", ("r", Bytes::from([7]))).unwrap();
    let received = bob.received();
    assert_eq!(received[0], ("msg", json!([{ "t": 1 }])));
    assert_eq!(received[1].args.parse::<(Bytes,)>().unwrap().0, vec![7]);
    assert_eq!(ann.received().len(), 2);
    assert!(eve.received().is_empty());
    ann.emit("leave", "r").unwrap();
    assert!(ann.rooms().is_empty());
}

#[test]
fn whoami_tells_rooms_and_state() {
    let app = TestApp::new::<Bench>();
    let client = app.connect("/").unwrap();
    client.emit("join", "r").unwrap();
    client.emit("set", json!({ "n": 1 })).unwrap();
    let id = client.id();
    let expected = json!([{ "sid": id, "rooms": ["r", id], "state": { "n": 1 }, "recovered": false }]);
    assert_eq!(client.emit_with_ack("whoami", ()).unwrap(), expected);
}

#[test]
fn spin_takes_its_time() {
    let app = TestApp::new::<Bench>();
    let begin = Instant::now();
    app.connect("/").unwrap().emit("spin", 5).unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(5));
}
