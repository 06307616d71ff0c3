//! One append, or several of an app that went together, is one message: stored whole or not at all. What is larger
//! than a message goes ahead in parts, and the message that counts names them.
use std::sync::Arc;

use backplane::APPEND_ENTRIES_MAX;
use bytes::Bytes;
use router::Delivery;

use crate::wire::{Reader, Writer};

pub(super) enum Frame {
    Entries(Entries),
    /// A piece of the frame that a later [`Parts`] names. Passed over.
    Part(Bytes),
    Parts(Parts),
}

pub(super) struct Entries {
    pub(super) app: String,
    /// Of the sending that stored it: tells our own from another call with the same key.
    pub(super) write: u64,
    pub(super) deliveries: Vec<Bytes>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) app: String,
    pub(super) write: u64,
    pub(super) entries: u32,
    pub(super) bytes: u64,
    pub(super) sequences: Vec<u64>,
}

/// What [`entries`] makes has at most so many bytes.
pub(super) fn size(app: &str, entries: &[Bytes]) -> usize {
    let bytes = entries.iter().map(|entry| entry.len() + 4).sum::<usize>();
    app.len() + bytes + 32
}

pub(super) fn entries(app: &str, write: u64, entries: &[Bytes]) -> Bytes {
    let head = Writer::with_capacity(size(app, entries))
        .u8(VERSION)
        .u8(ENTRIES)
        .bytes(app.as_bytes())
        .u64(write)
        .u32(entries.len() as u32);
    entries
        .iter()
        .fold(head, |frame, entry| frame.bytes(entry))
        .done()
}

pub(super) fn part(piece: &[u8]) -> Bytes {
    Writer::with_capacity(piece.len() + 2)
        .u8(VERSION)
        .u8(PART)
        .rest(piece)
        .done()
}

pub(super) fn parts(parts: &Parts) -> Bytes {
    let head = Writer::default()
        .u8(VERSION)
        .u8(PARTS)
        .bytes(parts.app.as_bytes())
        .u64(parts.write)
        .u32(parts.entries)
        .u64(parts.bytes)
        .u32(parts.sequences.len() as u32);
    let sequences = parts.sequences.iter();
    sequences
        .fold(head, |frame, sequence| frame.u64(*sequence))
        .done()
}

/// `None`: not of ours, or of a later version.
pub(super) fn decode(bytes: Bytes) -> Option<Frame> {
    let mut input = Reader(bytes);
    if input.u8()? != VERSION {
        return None;
    }
    match input.u8()? {
        PART => Some(Frame::Part(input.rest())),
        ENTRIES => {
            let (app, write, count) = (input.text()?, input.u64()?, input.u32()?);
            // More would have offsets of the next message.
            if count as usize > APPEND_ENTRIES_MAX {
                return None;
            }
            let deliveries = (0..count).map(|_| input.bytes()).collect::<Option<_>>()?;
            input.end()?;
            Some(Frame::Entries(Entries {
                app,
                write,
                deliveries,
            }))
        }
        PARTS => {
            let (app, write, entries) = (input.text()?, input.u64()?, input.u32()?);
            let (bytes, count) = (input.u64()?, input.u32()?);
            let sequences = (0..count).map(|_| input.u64()).collect::<Option<_>>()?;
            input.end()?;
            Some(Frame::Parts(Parts {
                app,
                write,
                entries,
                bytes,
                sequences,
            }))
        }
        _ => None,
    }
}

/// How many entries a frame holds, and which write it was.
pub(super) fn summary(bytes: &Bytes) -> Option<(u32, u64)> {
    match decode(bytes.clone())? {
        Frame::Entries(entries) => Some((entries.deliveries.len() as u32, entries.write)),
        Frame::Parts(parts) => Some((parts.entries, parts.write)),
        Frame::Part(_) => None,
    }
}

/// An entry that cannot be read (of a newer node) keeps its place: `None`.
pub(super) fn deliveries(entries: &[Bytes]) -> Vec<Option<Arc<Delivery>>> {
    let decode = |entry| match Delivery::decode(entry) {
        Ok(delivery) => Some(Arc::new(delivery)),
        Err(error) => {
            tracing::error!(%error, "nats: an entry of a log cannot be read");
            None
        }
    };
    entries.iter().map(decode).collect()
}

/// An entry's offset: the message's sequence, and its place within.
pub(super) fn offset(sequence: u64, index: usize) -> u64 {
    sequence << INDEX_BITS | index as u64
}

/// After whatever the message of that sequence holds.
pub(super) fn end_of(sequence: u64) -> u64 {
    sequence << INDEX_BITS | INDEX_MAX
}

pub(super) fn sequence_of(offset: u64) -> u64 {
    offset >> INDEX_BITS
}

const INDEX_BITS: u32 = 12;
pub(super) const INDEX_MAX: u64 = (1 << INDEX_BITS) - 1;
const _: () = assert!(APPEND_ENTRIES_MAX == 1 << INDEX_BITS);

const VERSION: u8 = 1;
const ENTRIES: u8 = 0;
const PART: u8 = 1;
const PARTS: u8 = 2;

#[cfg(test)]
mod tests;
