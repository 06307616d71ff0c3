use bytes::Bytes;

use crate::wire::{Reader, Writer};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Whole(Bytes),
    /// Of a payload that is larger than a message.
    Chunk(Chunk),
    /// Sent by a subscriber to itself, to learn that its subscription is in force.
    Probe(u64),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The payload's.
    pub(super) id: u64,
    pub(super) index: u32,
    pub(super) count: u32,
    pub(super) bytes: Bytes,
}

impl Frame {
    pub(super) fn encode(&self, topic: &str) -> Bytes {
        let room = match self {
            Self::Whole(bytes) | Self::Chunk(Chunk { bytes, .. }) => bytes.len(),
            Self::Probe(_) => 0,
        };
        let head = Writer::with_capacity(room + topic.len() + 32)
            .u8(VERSION)
            .bytes(topic.as_bytes());
        match self {
            Self::Whole(bytes) => head.u8(WHOLE).rest(bytes).done(),
            Self::Chunk(chunk) => head
                .u8(CHUNK)
                .u64(chunk.id)
                .u32(chunk.index)
                .u32(chunk.count)
                .rest(&chunk.bytes)
                .done(),
            Self::Probe(nonce) => head.u8(PROBE).u64(*nonce).done(),
        }
    }

    /// `None`: of another topic, or no node of this version wrote it.
    pub(super) fn decode(topic: &str, bytes: Bytes) -> Option<Self> {
        let mut input = Reader(bytes);
        if input.u8()? != VERSION || input.bytes()? != topic.as_bytes() {
            return None;
        }
        match input.u8()? {
            WHOLE => Some(Self::Whole(input.rest())),
            CHUNK => Some(Self::Chunk(Chunk {
                id: input.u64()?,
                index: input.u32()?,
                count: input.u32()?,
                bytes: input.rest(),
            })),
            PROBE => {
                let nonce = input.u64()?;
                input.end()?;
                Some(Self::Probe(nonce))
            }
            _ => None,
        }
    }
}

const VERSION: u8 = 1;
const WHOLE: u8 = 0;
const CHUNK: u8 = 1;
const PROBE: u8 = 2;
