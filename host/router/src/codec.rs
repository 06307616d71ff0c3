use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};
use socketio::EventData;

use crate::{Action, Delivery, Room, Target};

/// Why bytes are not a [`Delivery`]. Another node, or the store, gave us something that we did not write: skip it
/// and say so in the log; nothing is wrong with what comes after.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Written by another version of this program: upgrade this node.
    #[error("delivery of format {0}; this version reads {VERSION}")]
    Version(u8),
    /// Cut off, or not a delivery at all.
    #[error("malformed delivery")]
    Malformed,
    /// More rooms or attachments than a delivery may have.
    #[error("delivery with a list of {0} items; at most {ITEMS_MAX}")]
    TooMany(u32),
}

impl Delivery {
    /// One byte of version, then postcard: what the log stores and nodes send each other.
    pub fn encode(&self) -> Bytes {
        let mut out = Writer(Vec::with_capacity(self.size_estimate()));
        out.0.push(VERSION);
        out.put(&*self.target.namespace);
        out.strings(&self.target.rooms);
        out.strings(&self.target.except);
        match &self.action {
            Action::Emit(data) => {
                out.put(&Tag::Emit);
                out.data(data);
            }
            Action::Join(rooms) => {
                out.put(&Tag::Join);
                out.strings(rooms);
            }
            Action::Leave(rooms) => {
                out.put(&Tag::Leave);
                out.strings(rooms);
            }
            Action::Disconnect { close } => {
                out.put(&Tag::Disconnect);
                out.put(close);
            }
            Action::EmitWithAck {
                data,
                token,
                timeout_ms,
            } => {
                out.put(&Tag::EmitWithAck);
                out.data(data);
                out.put(&**token);
                out.put(timeout_ms);
            }
            Action::EmitWithAcks {
                data,
                reply_to,
                timeout_ms,
            } => {
                out.put(&Tag::EmitWithAcks);
                out.data(data);
                out.put(reply_to);
                out.put(timeout_ms);
            }
        }
        Bytes::from(out.0)
    }

    /// The reverse of [`encode`](Self::encode), for bytes from anywhere: never panics, and allocates no more than a
    /// small multiple of the input. Arguments and attachments share the input's memory.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let (version, rest) = bytes.split_first().ok_or(DecodeError::Malformed)?;
        if *version != VERSION {
            return Err(DecodeError::Version(*version));
        }
        let mut input = Reader { whole: bytes, rest };
        let target = Target {
            namespace: input.string()?,
            rooms: input.strings()?,
            except: input.strings()?,
        };
        let action = match input.take::<Tag>()? {
            Tag::Emit => Action::Emit(input.data()?),
            Tag::Join => Action::Join(input.strings()?),
            Tag::Leave => Action::Leave(input.strings()?),
            Tag::Disconnect => Action::Disconnect { close: input.take()? },
            Tag::EmitWithAck => Action::EmitWithAck {
                data: input.data()?,
                token: input.string()?,
                timeout_ms: input.take()?,
            },
            Tag::EmitWithAcks => Action::EmitWithAcks {
                data: input.data()?,
                reply_to: input.take()?,
                timeout_ms: input.take()?,
            },
        };
        if input.rest.is_empty() {
            Ok(Self { target, action })
        } else {
            Err(DecodeError::Malformed)
        }
    }

    /// Bytes that the delivery takes, in memory or encoded, give or take a few: what windows and limits count.
    pub fn size_estimate(&self) -> usize {
        let rooms = |rooms: &[Room]| rooms.iter().map(|room| room.len() + 4).sum::<usize>();
        let data = |data: &EventData| {
            data.inner().len()
                + data
                    .attachments()
                    .iter()
                    .map(|part| part.len() + 4)
                    .sum::<usize>()
        };
        let action = match &self.action {
            Action::Emit(emitted) => data(emitted),
            Action::Join(names) | Action::Leave(names) => rooms(names),
            Action::Disconnect { .. } => 1,
            Action::EmitWithAck {
                data: emitted, token, ..
            } => data(emitted) + token.len() + 8,
            Action::EmitWithAcks { data: emitted, .. } => data(emitted) + 24,
        };
        32 + self.target.namespace.len() + rooms(&self.target.rooms) + rooms(&self.target.except) + action
    }
}

/// The kinds of [`Action`]. Its numbers are in the log: only ever add at the end.
#[derive(Serialize, Deserialize)]
enum Tag {
    Emit,
    Join,
    Leave,
    Disconnect,
    EmitWithAck,
    EmitWithAcks,
}

struct Writer(Vec<u8>);

impl Writer {
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) {
        match postcard::to_extend(value, std::mem::take(&mut self.0)) {
            Ok(out) => self.0 = out,
            Err(error) => unreachable!("a Vec takes whatever is written: {error}"),
        }
    }

    fn strings(&mut self, strings: &[Arc<str>]) {
        self.put(&(strings.len() as u32));
        for string in strings {
            self.put(&**string);
        }
    }

    fn data(&mut self, data: &EventData) {
        self.put(&Raw(data.inner()));
        self.put(&(data.attachments().len() as u32));
        for attachment in data.attachments() {
            self.put(&Raw(attachment));
        }
    }
}

/// Bytes as bytes: serde writes a `&[u8]` number by number.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct Reader<'a> {
    whole: &'a Bytes,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take<T: Deserialize<'a>>(&mut self) -> Result<T, DecodeError> {
        let (value, rest) = postcard::take_from_bytes(self.rest).map_err(|_| DecodeError::Malformed)?;
        self.rest = rest;
        Ok(value)
    }

    /// A list's length. No item is shorter than one byte, so a longer list than what is left is a lie.
    fn count(&mut self) -> Result<usize, DecodeError> {
        let count: u32 = self.take()?;
        if count > ITEMS_MAX {
            return Err(DecodeError::TooMany(count));
        }
        let count = count as usize;
        if count > self.rest.len() {
            Err(DecodeError::Malformed)
        } else {
            Ok(count)
        }
    }

    fn string(&mut self) -> Result<Arc<str>, DecodeError> {
        self.take::<&str>().map(Arc::from)
    }

    fn strings(&mut self) -> Result<Vec<Arc<str>>, DecodeError> {
        (0..self.count()?).map(|_| self.string()).collect()
    }

    fn shared(&mut self) -> Result<Bytes, DecodeError> {
        let part: &[u8] = self.take()?;
        Ok(self.whole.slice_ref(part))
    }

    fn data(&mut self) -> Result<EventData, DecodeError> {
        let inner = self.shared()?;
        if std::str::from_utf8(&inner).is_err() {
            return Err(DecodeError::Malformed);
        }
        let attachments = (0..self.count()?)
            .map(|_| self.shared())
            .collect::<Result<_, _>>()?;
        Ok(EventData::from_inner(inner, attachments))
    }
}

/// Changes with the order or meaning of anything written here.
const VERSION: u8 = 1;

/// Rooms or attachments of one delivery: far above what a handler's limits let through.
const ITEMS_MAX: u32 = 65_536;

#[cfg(test)]
mod tests;
