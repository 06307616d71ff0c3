//! What a session keeps of the request that opened it.
use router::Handshake;

/// A handshake: whole until a client has joined a namespace, which nearly all do at once; then in one piece, for as long as
/// the session lives.
pub(crate) enum KeptHandshake {
    Whole(Box<Handshake>),
    Packed(Box<[u8]>),
}

impl KeptHandshake {
    pub(crate) fn new(handshake: Handshake) -> Self {
        Self::Whole(Box::new(handshake))
    }

    pub(crate) fn open(&self) -> Handshake {
        match self {
            Self::Whole(handshake) => Handshake::clone(handshake),
            Self::Packed(bytes) => unpack(bytes),
        }
    }

    /// For a call of the handler. What is kept is packed from now on.
    pub(crate) fn tell(&mut self) -> Handshake {
        match self {
            Self::Whole(handshake) => {
                let whole = std::mem::take(&mut **handshake);
                *self = Self::Packed(pack(&whole));
                whole
            }
            Self::Packed(bytes) => unpack(bytes),
        }
    }
}

fn pack(handshake: &Handshake) -> Box<[u8]> {
    match postcard::to_extend(handshake, Vec::with_capacity(PACKED_BYTES)) {
        Ok(bytes) => bytes.into(),
        Err(error) => unreachable!("strings are written into memory: {error}"),
    }
}

fn unpack(bytes: &[u8]) -> Handshake {
    match postcard::from_bytes(bytes) {
        Ok(handshake) => handshake,
        Err(error) => unreachable!("written above, and nowhere else: {error}"),
    }
}

/// Enough for the headers of most clients.
const PACKED_BYTES: usize = 1024;

#[cfg(test)]
mod tests;
