use wakeline_sdk::test::TestApp;

use super::*;

#[test]
fn auth_is_told_on_connect() {
    let app = TestApp::new::<Conformance>();
    assert_eq!(app.connect("/").unwrap().received(), [("auth", json!([{}]))]);
    let custom = app.connect_with_auth("/custom", &json!({ "token": "123" })).unwrap();
    assert_eq!(custom.received(), [("auth", json!([{ "token": "123" }]))]);
}

#[test]
fn messages_come_back_with_their_arguments() {
    let app = TestApp::new::<Conformance>();
    let client = app.connect("/").unwrap();
    client.received();
    client.emit("message", (1, "2", Value::Null)).unwrap();
    assert_eq!(client.received(), [("message-back", json!([1, "2", null]))]);
    assert_eq!(
        client.emit_with_ack("message-with-ack", (1, "2")).unwrap(),
        json!([1, "2"])
    );
}

#[test]
fn bare_engine_io_gets_its_messages_back() {
    let app = TestApp::new::<Conformance>();
    let client = app.connect("raw:engineio").unwrap();
    client.emit("message", "hello").unwrap();
    assert_eq!(client.received(), [("message", json!(["hello"]))]);
}
