use std::collections::VecDeque;

use backplane::PAYLOAD_BYTES_MAX;
use bytes::{Bytes, BytesMut};

use super::frame::Chunk;

/// Payloads of one topic that have come in part. What lacks a chunk is pushed out by later ones.
#[derive(Default)]
pub(super) struct Chunks(VecDeque<Part>);

struct Part {
    id: u64,
    chunks: Vec<Option<Bytes>>,
    missing: usize,
    bytes: usize,
}

impl Chunks {
    /// The payload, if that was its last chunk.
    pub(super) fn add(&mut self, chunk: Chunk) -> Option<Bytes> {
        if chunk.count > COUNT_MAX || chunk.index >= chunk.count {
            return None;
        }
        let at = self
            .0
            .iter()
            .position(|part| part.id == chunk.id)
            .unwrap_or_else(|| {
                if self.0.len() >= PARTS_MAX {
                    self.0.pop_front();
                }
                self.0.push_back(Part {
                    id: chunk.id,
                    chunks: vec![None; chunk.count as usize],
                    missing: chunk.count as usize,
                    bytes: 0,
                });
                self.0.len() - 1
            });
        let part = self.0.get_mut(at)?;
        let place = part.chunks.get_mut(chunk.index as usize)?;
        if place.is_none() {
            part.missing -= 1;
            part.bytes += chunk.bytes.len();
            *place = Some(chunk.bytes);
        }
        if part.bytes > PAYLOAD_BYTES_MAX {
            self.0.remove(at);
            return None;
        }
        if part.missing > 0 {
            return None;
        }
        let part = self.0.remove(at)?;
        let mut whole = BytesMut::with_capacity(part.bytes);
        part.chunks
            .iter()
            .flatten()
            .for_each(|bytes| whole.extend_from_slice(bytes));
        Some(whole.freeze())
    }
}

/// At most 64 MiB a topic.
const PARTS_MAX: usize = 8;
/// Servers take messages of 4 KiB at least.
const COUNT_MAX: u32 = (PAYLOAD_BYTES_MAX / 4096) as u32 + 1;

#[cfg(test)]
mod tests;
