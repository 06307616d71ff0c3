//! The bodies of the fuzz targets, as plain functions: each panics if what it watches over is broken.
mod operations;
mod platform;

use std::time::{Duration, Instant};

use bytes::Bytes;
use engineio::{ClientPacket, Message, Packet, payload};
use socketio::{Connection, EventData, Output, encode};

pub use self::platform::{platform_assets, platform_component, platform_manifest, platform_requests};
pub use operations::engineio_operations;

/// Any POST body: no panic, nothing after the first malformed packet, and messages survive encoding.
pub fn engineio_payload(data: &[u8]) {
    let packets: Vec<_> = payload::decode(&Bytes::copy_from_slice(data)).collect();
    let (_, before) = packets
        .split_last()
        .expect("a body is at least one packet, perhaps malformed");
    assert!(before.iter().all(Result::is_ok), "decoding went on");

    let messages: Vec<_> = packets
        .into_iter()
        .filter_map(Result::ok)
        .filter_map(message)
        .collect();
    if messages.is_empty() {
        return;
    }
    let encoded: Vec<_> = messages.iter().map(packet).collect();
    let decoded: Result<Vec<_>, _> = payload::decode(&payload::encode(encoded.iter())).collect();
    let decoded: Vec<_> = decoded
        .expect("our own payload")
        .into_iter()
        .filter_map(message)
        .collect();
    assert_eq!(decoded, messages);
}

/// Messages of a client that has joined `/` and `/a`; they are separated by `\x1e`, binary ones begin with `b`.
/// No panic, nothing after `Broken`, and what is taken for an event is sent on as one that is taken for the same.
pub fn socketio_decoder(data: &[u8]) {
    let mut connection = joined();
    let mut broken = false;
    for part in data.split(|byte| *byte == 0x1e) {
        let message = match part.split_first() {
            Some((b'b', rest)) => Message::Binary(Bytes::copy_from_slice(rest)),
            _ => Message::Text(Bytes::copy_from_slice(part)),
        };
        if let Some(output) = connection.handle_message(message, start()) {
            assert!(!broken, "{output:?} after Broken");
            match output {
                Output::Connect { namespace, .. } => connection.accept(&namespace),
                Output::Event { ack, data, .. } => check_event(&data, ack),
                Output::Ack { data, .. } => {
                    EventData::args(&data.array(), Vec::new()).expect("an ack's arguments are a JSON array");
                }
                Output::Disconnect { .. } => {}
                Output::Broken(_) => broken = true,
            }
        }
    }
}

fn check_event(data: &EventData, ack: Option<u64>) {
    let (_, args) = data.split();
    EventData::args(&args, Vec::new()).expect("an event's arguments are a JSON array");
    let mut peer = joined();
    let mut output = None;
    for packet in encode::event("/a", data, ack, None) {
        let message = match packet {
            Packet::Text(text) => Message::Text(text.slice(1..)),
            Packet::Binary(bytes) => Message::Binary(bytes),
        };
        assert!(output.is_none(), "{output:?} before the packet's end");
        output = peer.handle_message(message, start());
    }
    let expected = Output::Event {
        namespace: "/a".into(),
        ack,
        data: data.clone(),
    };
    assert_eq!(output, Some(expected));
}

fn joined() -> Connection {
    let mut connection = Connection::new(Duration::from_secs(45), start());
    for namespace in ["/", "/a"] {
        let connect = Message::Text(format!("0{namespace},").into());
        assert!(connection.handle_message(connect, start()).is_some());
        connection.accept(namespace);
    }
    connection
}

fn message(packet: ClientPacket) -> Option<Message> {
    match packet {
        ClientPacket::Message(message) => Some(message),
        _ => None,
    }
}

fn packet(message: &Message) -> Packet {
    match message {
        Message::Text(text) => Packet::Text([b"4", text.as_ref()].concat().into()),
        Message::Binary(bytes) => Packet::Binary(bytes.clone()),
    }
}

/// Some origin for the virtual clock; nothing depends on which.
fn start() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
