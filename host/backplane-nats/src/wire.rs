//! Fields of our frames: numbers big-endian, bytes with their length before them. What is read comes from outside:
//! `None` where a field is cut off.
use bytes::{Buf, BufMut, Bytes};

#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(crate) fn u8(mut self, value: u8) -> Self {
        self.0.put_u8(value);
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.0.put_u32(value);
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.0.put_u64(value);
        self
    }

    /// At most 4 GiB; callers have checked far lower limits.
    pub(crate) fn bytes(mut self, value: &[u8]) -> Self {
        self.0.put_u32(value.len() as u32);
        self.0.put_slice(value);
        self
    }

    pub(crate) fn rest(mut self, value: &[u8]) -> Self {
        self.0.put_slice(value);
        self
    }

    pub(crate) fn done(self) -> Bytes {
        self.0.into()
    }
}

pub(crate) struct Reader(pub(crate) Bytes);

impl Reader {
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.0.try_get_u8().ok()
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.0.try_get_u32().ok()
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.0.try_get_u64().ok()
    }

    /// Shares the frame's memory.
    pub(crate) fn bytes(&mut self) -> Option<Bytes> {
        let length = self.u32()? as usize;
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    pub(crate) fn rest(self) -> Bytes {
        self.0
    }

    /// `Some` if nothing follows.
    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
