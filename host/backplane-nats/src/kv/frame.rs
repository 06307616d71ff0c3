use bytes::Bytes;

use crate::wire::{Reader, Writer};

/// The last message of a key's subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Value(Written),
    /// The key is absent. Purged soon, since every subject costs the server memory.
    Tombstone {
        write: u64,
    },
    Intent(Intent),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Random, or the transaction's: whoever lost the answer knows its own message by it.
    pub(super) write: u64,
    /// The revision it has where that is not the message's own sequence: put back by an aborted transaction.
    pub(super) restored: Option<u64>,
    pub(super) bytes: Bytes,
}

/// What a transaction would make of a key, and what it found: decided by the transaction's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) transaction: u64,
    /// Revision and bytes.
    pub(super) old: Option<(u64, Bytes)>,
    pub(super) new: Option<Bytes>,
}

/// A transaction's record: written once, by whoever comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) committed: bool,
    pub(super) keys: Vec<String>,
}

impl Record {
    pub(super) fn encode(&self) -> Bytes {
        let head = Writer::default()
            .u8(VERSION)
            .bytes(self.bucket.as_bytes())
            .bytes(self.key.as_bytes());
        match &self.body {
            Body::Value(value) => head
                .u8(VALUE)
                .u64(value.write)
                .u64(value.restored.unwrap_or(0))
                .bytes(&value.bytes)
                .done(),
            Body::Tombstone { write } => head.u8(TOMBSTONE).u64(*write).done(),
            Body::Intent(intent) => {
                let (revision, old) = intent.old.as_ref().map_or((0, &NOTHING), |(at, old)| (*at, old));
                let new = intent.new.as_ref();
                head.u8(INTENT)
                    .u64(intent.transaction)
                    .u64(revision)
                    .bytes(old)
                    .u8(u8::from(new.is_some()))
                    .bytes(new.unwrap_or(&NOTHING))
                    .done()
            }
        }
    }

    /// `None`: no node of this version wrote it.
    pub(super) fn decode(bytes: Bytes) -> Option<Self> {
        let mut input = Reader(bytes);
        if input.u8()? != VERSION {
            return None;
        }
        let (bucket, key) = (input.text()?, input.text()?);
        let body = match input.u8()? {
            VALUE => Body::Value(Written {
                write: input.u64()?,
                restored: Some(input.u64()?).filter(|revision| *revision > 0),
                bytes: input.bytes()?,
            }),
            TOMBSTONE => Body::Tombstone { write: input.u64()? },
            INTENT => {
                let (transaction, revision, old) = (input.u64()?, input.u64()?, input.bytes()?);
                let (writes, new) = (input.u8()? == 1, input.bytes()?);
                Body::Intent(Intent {
                    transaction,
                    old: (revision > 0).then_some((revision, old)),
                    new: writes.then_some(new),
                })
            }
            _ => return None,
        };
        input.end()?;
        Some(Self { bucket, key, body })
    }

    /// Which write it was.
    pub(super) fn write(&self) -> u64 {
        match &self.body {
            Body::Value(value) => value.write,
            Body::Tombstone { write } => *write,
            Body::Intent(intent) => intent.transaction,
        }
    }
}

impl Decision {
    pub(super) fn encode(&self) -> Bytes {
        let head = Writer::default()
            .u8(VERSION)
            .u8(u8::from(self.committed))
            .u32(self.keys.len() as u32);
        let keys = self.keys.iter();
        keys.fold(head, |frame, key| frame.bytes(key.as_bytes())).done()
    }

    pub(super) fn decode(bytes: Bytes) -> Option<Self> {
        let mut input = Reader(bytes);
        if input.u8()? != VERSION {
            return None;
        }
        let committed = input.u8()? == 1;
        let count = input.u32()?;
        let keys = (0..count).map(|_| input.text()).collect::<Option<_>>()?;
        input.end()?;
        Some(Self { committed, keys })
    }
}

static NOTHING: Bytes = Bytes::new();
const VERSION: u8 = 1;
const VALUE: u8 = 0;
const TOMBSTONE: u8 = 1;
const INTENT: u8 = 2;

#[cfg(test)]
mod tests;
