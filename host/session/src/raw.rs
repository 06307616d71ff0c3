//! Raw dialects: messages of a bare Engine.IO or plain WebSocket client, as events named "message", and back.
use bytes::{BufMut, BytesMut};
use engineio::{Message, Packet};
use socketio::EventData;

const NAME: &str = "message";
const ONE_PLACEHOLDER: &str = r#"{"_placeholder":true,"num":0}"#;
const ONE_ATTACHMENT: &str = r#"[{"_placeholder":true,"num":0}]"#;

/// A client's message as an event: text as one string argument, binary as one attachment.
pub(crate) fn event(message: Message) -> EventData {
    match message {
        Message::Text(text) => {
            let text = String::from_utf8_lossy(&text);
            let inner = format!("\"{NAME}\",{}", json_string(&text));
            EventData::from_inner(inner.into(), Vec::new())
        }
        Message::Binary(bytes) => {
            let inner = format!("\"{NAME}\",{ONE_PLACEHOLDER}");
            EventData::from_inner(inner.into(), vec![bytes])
        }
    }
}

/// An event as a raw client's message: "message" with one string is that text, with one attachment those bytes, with
/// another argument its JSON; any other event is the JSON array of its name and arguments.
pub(crate) fn message(data: &EventData) -> Message {
    let (name, args) = data.split();
    if name == NAME {
        if let ([only], ONE_ATTACHMENT) = (data.attachments(), args.as_str()) {
            return Message::Binary(only.clone());
        }
        if let Ok([text]) = serde_json::from_str::<[String; 1]>(&args) {
            return Message::Text(text.into());
        }
        if let Ok([value]) = serde_json::from_str::<[&serde_json::value::RawValue; 1]>(&args) {
            return Message::Text(value.get().to_owned().into());
        }
    }
    Message::Text(data.array().into())
}

/// A message as an Engine.IO packet.
pub(crate) fn packet(message: &Message) -> Packet {
    match message {
        Message::Binary(bytes) => Packet::Binary(bytes.clone()),
        Message::Text(text) => {
            let mut packet = BytesMut::with_capacity(text.len() + 1);
            packet.put_u8(b'4');
            packet.put_slice(text);
            Packet::Text(packet.freeze())
        }
    }
}

fn json_string(text: &str) -> String {
    // A string always has a JSON form.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
