use std::collections::VecDeque;

use bytes::Bytes;

use crate::{packet::Packet, payload};

/// Packets that wait for a poll. Holds no heap when empty.
#[derive(Debug, Default)]
pub(super) struct Queue {
    packets: VecDeque<Packet>,
    /// What the packets take in a payload, separators apart.
    bytes: usize,
}

impl Queue {
    pub(super) fn push(&mut self, packet: Packet) {
        self.bytes += packet.payload_bytes();
        self.packets.push_back(packet);
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    pub(super) fn take(&mut self) -> VecDeque<Packet> {
        std::mem::take(self).packets
    }

    pub(super) fn take_payload(&mut self) -> Bytes {
        let packets = self.take();
        match packets.front() {
            // The usual case: one text, shared with all its receivers rather than copied.
            Some(Packet::Text(text)) if packets.len() == 1 => text.clone(),
            _ => payload::encode(packets.iter()),
        }
    }
}
