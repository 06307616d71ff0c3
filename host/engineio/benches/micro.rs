//! What each frame and each poll goes through.
use std::hint::black_box;

use bytes::Bytes;
use engineio::{ClientPacket, Packet, payload};

const EVENT: &str = r#"42["say","0123456789012345678901234567890123456789012345678901234567890123"]"#;

fn main() -> anyhow::Result<()> {
    micro::main(&[
        ("a message of a frame, read", read_frame),
        ("a POST of three messages, read", read_payload),
        ("a poll of three messages, written", write_payload),
    ])
}

fn read_frame(times: u64) {
    let text = Bytes::from_static(EVENT.as_bytes());
    for _ in 0..times {
        _ = black_box(ClientPacket::decode(black_box(text.clone())));
    }
}

fn read_payload(times: u64) {
    let body = Bytes::from([EVENT, EVENT, EVENT].join("\u{1e}"));
    for _ in 0..times {
        for packet in payload::decode(black_box(&body)) {
            _ = black_box(packet);
        }
    }
}

fn write_payload(times: u64) {
    let packets = [const { Packet::Text(Bytes::from_static(EVENT.as_bytes())) }; 3];
    for _ in 0..times {
        black_box(payload::encode(black_box(&packets).iter()));
    }
}
