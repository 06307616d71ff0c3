//! What a session keeps of the request that opened it.
use router::Handshake;

/// A handshake in one piece: it is read when a client joins a namespace, which most do once, and kept as long as the session.
pub(crate) struct KeptHandshake(Box<[u8]>);

impl KeptHandshake {
    pub(crate) fn new(handshake: &Handshake) -> Self {
        match postcard::to_allocvec(handshake) {
            Ok(bytes) => Self(bytes.into()),
            Err(error) => unreachable!("strings are written into memory: {error}"),
        }
    }

    pub(crate) fn open(&self) -> Handshake {
        match postcard::from_bytes(&self.0) {
            Ok(handshake) => handshake,
            Err(error) => unreachable!("written above, and nowhere else: {error}"),
        }
    }
}
