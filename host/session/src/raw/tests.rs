use bytes::Bytes;

use super::*;

fn text(text: &'static str) -> Message {
    Message::Text(Bytes::from_static(text.as_bytes()))
}

#[test]
fn there_and_back() {
    for sent in [
        text("hello"),
        text(""),
        text("\"q\"\n\u{1F600}"),
        Message::Binary(Bytes::from_static(&[0, 255])),
    ] {
        assert_eq!(message(&event(sent.clone())), sent);
    }
}

#[test]
fn other_shapes_are_json() {
    let data = |inner: &'static str| EventData::from_inner(Bytes::from_static(inner.as_bytes()), vec![]);
    assert_eq!(message(&data(r#""message",{"a":1}"#)), text(r#"{"a":1}"#));
    assert_eq!(message(&data(r#""message",1,2"#)), text(r#"["message",1,2]"#));
    assert_eq!(message(&data(r#""say","x""#)), text(r#"["say","x"]"#));
}
