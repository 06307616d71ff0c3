//! Payloads of the polling transport: packets joined by `\x1e`, binary ones as `b` and base64.
use base64::Engine as _;
use bytes::Bytes;

use crate::packet::{BASE64, ClientPacket, Malformed, Packet};

/// One body out of `packets`, in one allocation of exactly its size.
pub fn encode<'a>(packets: impl Iterator<Item = &'a Packet> + Clone) -> Bytes {
    let mut length = 0;
    for packet in packets.clone() {
        length += packet.payload_bytes() + 1;
    }
    let length = length.saturating_sub(1);
    let mut body = Vec::with_capacity(length);
    for (index, packet) in packets.enumerate() {
        if index > 0 {
            body.push(SEPARATOR);
        }
        match packet {
            Packet::Text(text) => body.extend_from_slice(text),
            Packet::Binary(bytes) => push_base64(&mut body, bytes),
        }
    }
    assert!(body.len() == length, "sizes are counted as they are written");
    body.into()
}

/// The packets of one POST body, up to and including the first malformed one. Text is sliced, not copied.
pub fn decode(body: &Bytes) -> impl Iterator<Item = Result<ClientPacket, Malformed>> {
    // A body that is not UTF-8 holds no packet at all: it is read as one malformed (empty) packet.
    let text = if std::str::from_utf8(body).is_ok() {
        body.clone()
    } else {
        Bytes::new()
    };
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let packet = match text.iter().position(|&byte| byte == SEPARATOR) {
            Some(at) => {
                rest = Some(text.slice(at + 1..));
                ClientPacket::decode(text.slice(..at))
            }
            None => ClientPacket::decode(text),
        };
        if packet.is_err() {
            rest = None;
        }
        Some(packet)
    })
}

fn push_base64(body: &mut Vec<u8>, bytes: &Bytes) {
    body.push(b'b');
    let start = body.len();
    body.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let room = body.get_mut(start..).unwrap_or_default();
    let written = BASE64.encode_slice(bytes, room);
    assert!(written.is_ok(), "the room is exactly that of padded base64");
}

/// ASCII record separator.
const SEPARATOR: u8 = 0x1e;
