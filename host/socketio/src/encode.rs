//! Packets as they go out: the first is text, with the Engine.IO type `4` before it; attachments follow.
use std::borrow::Cow;

use engineio::Packet;

use crate::{data::EventData, json};

/// The namespace is joined, by a socket of this public id. `pid` lets the client ask for recovery later.
pub fn connect(namespace: &str, sid: &str, pid: Option<&str>) -> Packet {
    let (sid, pid) = (json::string(sid), pid.map(json::string));
    match pid {
        Some(pid) => write(
            b'0',
            0,
            namespace,
            None,
            &[r#"{"sid":"#, &sid, r#","pid":"#, &pid, "}"].map(str::as_bytes),
        ),
        None => write(
            b'0',
            0,
            namespace,
            None,
            &[r#"{"sid":"#, &sid, "}"].map(str::as_bytes),
        ),
    }
}

/// `data` is JSON text; what is not goes as a JSON string.
pub fn connect_error(namespace: &str, message: &str, data: Option<&str>) -> Packet {
    let message = json::string(message);
    let data = data.map(|data| {
        if json::is_value(data) {
            data.into()
        } else {
            Cow::from(json::string(data))
        }
    });
    match data {
        Some(data) => write(
            b'4',
            0,
            namespace,
            None,
            &[r#"{"message":"#, &message, r#","data":"#, &data, "}"].map(str::as_bytes),
        ),
        None => write(
            b'4',
            0,
            namespace,
            None,
            &[r#"{"message":"#, &message, "}"].map(str::as_bytes),
        ),
    }
}

/// Makes the client leave, and not come back by itself.
pub fn disconnect(namespace: &str) -> Packet {
    write(b'1', 0, namespace, None, &[])
}

/// EVENT or `BINARY_EVENT`. `offset` becomes the last argument; `ack` is the id of an answer asked for.
///
/// An event with `ack` gets no offset: clients take the last argument of such events for the callback's place.
pub fn event(namespace: &str, data: &EventData, ack: Option<u64>, offset: Option<&str>) -> Vec<Packet> {
    let kind = if data.attachments().is_empty() { b'2' } else { b'5' };
    match offset.filter(|_| ack.is_none()) {
        Some(offset) if json::is_plain(offset) => {
            with_arguments(kind, namespace, ack, data, [",\"", offset, "\"]"])
        }
        Some(offset) => with_arguments(kind, namespace, ack, data, [",", &json::string(offset), "]"]),
        None => with_arguments(kind, namespace, ack, data, ["", "", "]"]),
    }
}

/// ACK or `BINARY_ACK`.
pub fn ack(namespace: &str, id: u64, data: &EventData) -> Vec<Packet> {
    let kind = if data.attachments().is_empty() { b'3' } else { b'6' };
    with_arguments(kind, namespace, Some(id), data, ["", "", "]"])
}

fn with_arguments(
    kind: u8,
    namespace: &str,
    id: Option<u64>,
    data: &EventData,
    tail: [&str; 3],
) -> Vec<Packet> {
    let [tail0, tail1, tail2] = tail.map(str::as_bytes);
    let attachments = data.attachments();
    let mut packets = Vec::with_capacity(1 + attachments.len());
    let parts = [b"[", data.inner().as_ref(), tail0, tail1, tail2];
    packets.push(write(kind, attachments.len(), namespace, id, &parts));
    for attachment in attachments {
        packets.push(Packet::Binary(attachment.clone()));
    }
    packets
}

/// `4<kind>[<attachments>-][<namespace>,][<id>]<parts>`, in one allocation of exactly its size: `Bytes` then takes
/// it over as it is.
fn write(kind: u8, attachments: usize, namespace: &str, id: Option<u64>, parts: &[&[u8]]) -> Packet {
    let (mut attachments_digits, mut id_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (count, dash) = match attachments {
        0 => ("", ""),
        count => (attachments_digits.format(count), "-"),
    };
    let (namespace, comma) = if namespace == "/" {
        ("", "")
    } else {
        (namespace, ",")
    };
    let id = id.map_or("", |id| id_digits.format(id));
    let head = [count, dash, namespace, comma, id];

    let mut length = 2;
    for part in head {
        length += part.len();
    }
    for part in parts {
        length += part.len();
    }
    let mut text = Vec::with_capacity(length);
    text.extend_from_slice(&[b'4', kind]);
    for part in head {
        text.extend_from_slice(part.as_bytes());
    }
    for part in parts {
        text.extend_from_slice(part);
    }
    assert!(text.len() == length, "sizes are counted as they are written");
    Packet::Text(text.into())
}
