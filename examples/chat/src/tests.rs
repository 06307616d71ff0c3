use wakeline_sdk::test::{TestApp, TestSocket};

use super::*;

fn join(app: &TestApp, name: &str, room: &str) -> TestSocket {
    let client = app.connect("/").unwrap();
    client.emit("join", (name, room)).unwrap();
    client
}

#[test]
fn joining_tells_both_sides_who_is_here() {
    let app = TestApp::new::<Chat>();
    let ann = join(&app, " Ann ", "lobby");
    let bob = join(&app, "Bob", "lobby");
    let room = bob.emit_with_ack("room", "lobby").unwrap().to_value();
    let names: Vec<_> = room[0][0].as_array().unwrap().iter().map(|member| &member["name"]).collect();
    assert_eq!(names, ["Ann", "Bob"]);
    let member = json!({ "id": bob.id(), "name": "Bob", "away": false });
    assert_eq!(ann.received(), [("joined", json!(["lobby", member]))]);
}

#[test]
fn what_is_said_reaches_the_others_in_the_room() {
    let app = TestApp::new::<Chat>();
    let (ann, bob, eve) = (
        join(&app, "Ann", "lobby"),
        join(&app, "Bob", "lobby"),
        join(&app, "Eve", "attic"),
    );
    ann.received();
    let message: Message = ann.emit_with_ack("say", ("lobby", "hi")).unwrap().get(0).unwrap();
    assert_eq!(
        (message.id, message.name.as_str(), message.text.as_str()),
        (1, "Ann", "hi")
    );
    let received = bob.received();
    assert_eq!(received[0].args.get::<Message>(0).unwrap().text, "hi");
    assert!(ann.received().is_empty() && eve.received().is_empty());
    assert!(eve.emit("say", ("lobby", "let me in")).is_err());
}

#[test]
fn pictures_travel_as_binary_and_stay_in_the_history() {
    let app = TestApp::new::<Chat>();
    let (ann, bob) = (join(&app, "Ann", "lobby"), join(&app, "Bob", "lobby"));
    let picture = Bytes::from([1, 2, 3]);
    ann.emit("say", ("lobby", "look", &picture)).unwrap();
    assert_eq!(bob.received()[0].args.attachments(), [vec![1, 2, 3]]);
    let kept = bob.emit_with_ack("image", ("lobby", 1)).unwrap();
    assert_eq!(kept.parse::<(Bytes,)>().unwrap().0, picture);
}

#[test]
fn the_last_fifty_messages_are_kept() {
    let app = TestApp::new::<Chat>();
    let ann = join(&app, "Ann", "lobby");
    for number in 1..=70 {
        ann.emit("say", ("lobby", number.to_string())).unwrap();
    }
    let room = ann.emit_with_ack("room", "lobby").unwrap().to_value();
    let texts: Vec<_> = room[0][1].as_array().unwrap().iter().map(|message| &message["text"]).collect();
    assert_eq!(
        (texts.len(), texts[0], texts[49]),
        (50, &json!("21"), &json!("70"))
    );
}

#[test]
fn typing_is_volatile() {
    let app = TestApp::new::<Chat>();
    let (ann, bob) = (join(&app, "Ann", "lobby"), join(&app, "Bob", "lobby"));
    ann.emit("typing", "lobby").unwrap();
    let received = bob.received();
    assert!(received[0].volatile);
    assert_eq!(received, [("typing", json!(["lobby", ann.id()]))]);
}

#[test]
fn leaving_and_being_away_are_told() {
    let app = TestApp::new::<Chat>();
    let (ann, bob) = (join(&app, "Ann", "lobby"), join(&app, "Bob", "lobby"));
    bob.emit("away", true).unwrap();
    bob.disconnect().unwrap();
    let expected = [("away", json!([bob.id(), true])), ("gone", json!([bob.id()]))];
    assert_eq!(ann.received()[1..], expected);
}

#[test]
fn names_and_rooms_have_limits() {
    let app = TestApp::new::<Chat>();
    let client = app.connect("/").unwrap();
    let error = client.emit("join", ("  ", "lobby")).unwrap_err();
    assert_eq!(error.to_string(), "a name has 1 to 32 characters");
    assert!(client.emit("join", ("Ann", "x".repeat(65))).is_err());
    assert!(client.rooms().is_empty());
}
