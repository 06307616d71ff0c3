use bytes::Bytes;

use compact::Few;

use crate::{packet::Packet, payload};

/// Packets that wait for a poll. One word when empty.
#[derive(Debug, Default)]
pub(super) struct Queue(Option<Box<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    packets: Few<Packet>,
    /// What the packets take in a payload, separators apart.
    bytes: usize,
}

impl Queue {
    pub(super) fn push(&mut self, packet: Packet) {
        let waiting = self.0.get_or_insert_default();
        waiting.bytes += packet.payload_bytes();
        waiting.packets.push(packet);
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn take(&mut self) -> Few<Packet> {
        self.0.take().map(|waiting| waiting.packets).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.packets.len())
    }

    /// A payload of the oldest packets, as many as every stock client takes at once.
    pub(super) fn take_payload(&mut self) -> Bytes {
        let mut packets = self.take();
        if packets.len() > PAYLOAD_PACKETS_MAX {
            let mut all = packets.into_iter();
            packets = all.by_ref().take(PAYLOAD_PACKETS_MAX).collect();
            all.for_each(|packet| self.push(packet));
        }
        match packets.first() {
            // The usual case: one text, shared with all its receivers rather than copied.
            Some(Packet::Text(text)) if packets.len() == 1 => text.clone(),
            _ => payload::encode(packets.iter()),
        }
    }
}

/// python-socketio drops the connection over a payload of more packets (its `max_decode_packets`); what is left goes with
/// the next poll.
pub(super) const PAYLOAD_PACKETS_MAX: usize = 16;
