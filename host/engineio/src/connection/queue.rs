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

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    /// A payload of the oldest packets, as many as every stock client takes at once.
    pub(super) fn take_payload(&mut self) -> Bytes {
        if self.packets.len() <= PAYLOAD_PACKETS_MAX {
            return Self::encode(&self.take());
        }
        let packets: VecDeque<_> = self.packets.drain(..PAYLOAD_PACKETS_MAX).collect();
        self.bytes -= packets.iter().map(Packet::payload_bytes).sum::<usize>();
        Self::encode(&packets)
    }

    fn encode(packets: &VecDeque<Packet>) -> Bytes {
        match packets.front() {
            // The usual case: one text, shared with all its receivers rather than copied.
            Some(Packet::Text(text)) if packets.len() == 1 => text.clone(),
            _ => payload::encode(packets.iter()),
        }
    }
}

/// python-socketio drops the connection over a payload of more packets (its `max_decode_packets`); what is left goes with
/// the next poll.
pub(super) const PAYLOAD_PACKETS_MAX: usize = 16;
