use bytes::Bytes;
use serde::Serialize;

use crate::settings::{Settings, Transport};

/// The open packet: type `0` and exactly these five keys, which the official suite counts.
pub(crate) fn open_packet(sid: &str, settings: &Settings, via: Transport) -> Bytes {
    let upgrades: &[&str] = match via {
        Transport::Polling if settings.websocket => &["websocket"],
        Transport::Polling | Transport::WebSocket => &[],
    };
    let handshake = Handshake {
        sid,
        upgrades,
        ping_interval: settings.ping_interval.as_millis() as u64,
        ping_timeout: settings.ping_timeout.as_millis() as u64,
        max_payload: settings.max_payload_bytes,
    };
    let mut packet = Vec::with_capacity(PACKET_BYTES);
    packet.push(b'0');
    let written = serde_json::to_writer(&mut packet, &handshake);
    assert!(written.is_ok(), "a struct of strings and numbers is always JSON");
    packet.into()
}

/// Enough for sids of 40 characters and numbers of ten digits.
const PACKET_BYTES: usize = 192;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Handshake<'a> {
    sid: &'a str,
    upgrades: &'a [&'a str],
    /// Milliseconds, as is the next.
    ping_interval: u64,
    ping_timeout: u64,
    /// Bytes.
    max_payload: usize,
}
