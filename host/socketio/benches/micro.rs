//! What each event goes through.
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use engineio::Message;
use socketio::{Connection, EventData, encode};

const EVENT: &str = r#"21["say","0123456789012345678901234567890123456789012345678901234567890123"]"#;
const ARGUMENTS: &str = r#"["0123456789012345678901234567890123456789012345678901234567890123"]"#;

fn main() -> anyhow::Result<()> {
    micro::main(&[
        ("an event with an ack, read", read_event),
        ("its name and its arguments", split_event),
        ("an event with an offset, written", write_event),
        ("an ack, written", write_ack),
    ])
}

fn read_event(times: u64) {
    let now = now();
    let mut connection = Connection::new(Duration::from_secs(45), now);
    _ = connection.handle_message(Message::Text(Bytes::from_static(b"0")), now);
    connection.accept("/");
    let text = Bytes::from_static(EVENT.as_bytes());
    for _ in 0..times {
        black_box(connection.handle_message(Message::Text(text.clone()), now));
    }
}

fn split_event(times: u64) {
    let data = event();
    for _ in 0..times {
        black_box(black_box(&data).split());
    }
}

fn write_event(times: u64) {
    let data = event();
    for _ in 0..times {
        black_box(encode::event(
            "/",
            black_box(&data),
            None,
            Some("AAAAAAAAAAAAAAAAAAAA"),
        ));
    }
}

fn write_ack(times: u64) {
    let Ok(data) = EventData::args(ARGUMENTS, Vec::new()) else {
        unreachable!("arguments are an array");
    };
    for _ in 0..times {
        black_box(encode::ack("/", 1, black_box(&data)));
    }
}

fn event() -> EventData {
    match EventData::event("say", ARGUMENTS, Vec::new()) {
        Ok(data) => data,
        Err(error) => unreachable!("arguments are an array: {error}"),
    }
}

#[allow(clippy::disallowed_methods, reason = "an origin for times that do not pass")]
fn now() -> Instant {
    Instant::now()
}
