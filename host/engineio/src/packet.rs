use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::{Buf as _, Bytes};

/// A message of the layer above, received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Valid UTF-8.
    Text(Bytes),
    Binary(Bytes),
}

/// A message packet ready for the wire, shared by all its receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// Valid UTF-8, the packet type `4` included as its first byte.
    Text(Bytes),
    /// The message's bytes; a binary frame as they are, base64 behind `b` in a poll.
    Binary(Bytes),
}

impl Packet {
    pub(crate) const CLOSE: Self = Self::Text(Bytes::from_static(b"1"));
    pub(crate) const PING: Self = Self::Text(Bytes::from_static(b"2"));
    pub(crate) const NOOP: Self = Self::Text(Bytes::from_static(b"6"));

    /// Bytes that this packet takes in a polling payload, separator apart.
    pub(crate) fn payload_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            // One for `b`, then four characters for each three bytes begun.
            Self::Binary(bytes) => 1 + bytes.len().div_ceil(3) * 4,
        }
    }
}

/// A packet as a client sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientPacket {
    Open,
    Close,
    /// `probe` when it asks whether an upgrade would work; any other ping is the server's to send.
    Ping(Bytes),
    Pong,
    Message(Message),
    Upgrade,
    Noop,
}

/// Not a packet of Engine.IO v4. The client is at fault; its transport is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed packet")]
pub struct Malformed;

impl ClientPacket {
    /// A packet out of a text frame or out of a payload. `text` must be valid UTF-8 already.
    ///
    /// Takes the text, so that the data is what is left of it: no count is touched, nothing allocated.
    pub fn decode(mut text: Bytes) -> Result<Self, Malformed> {
        let kind = text.first().copied().ok_or(Malformed)?;
        text.advance(1);
        match kind {
            b'0' => Ok(Self::Open),
            b'1' => Ok(Self::Close),
            b'2' => Ok(Self::Ping(text)),
            b'3' => Ok(Self::Pong),
            b'4' => Ok(Self::Message(Message::Text(text))),
            b'5' => Ok(Self::Upgrade),
            b'6' => Ok(Self::Noop),
            b'b' => match BASE64.decode(text) {
                Ok(bytes) => Ok(Self::Message(Message::Binary(bytes.into()))),
                Err(_) => Err(Malformed),
            },
            _ => Err(Malformed),
        }
    }
}

/// Padded when written; read with or without padding, as the reference server reads it.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
