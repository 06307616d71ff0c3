//! WebSocket frames (RFC 6455 §5.2), as much as a client of one's own server needs.

/// Where the payload of the first frame starts, and its length; none if its head has not come whole. Servers mask nothing.
pub(crate) fn payload(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes.get(1)? & 0x7f {
        126 => Some((
            4,
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        )),
        127 => {
            let length: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            Some((10, usize::try_from(u64::from_be_bytes(length)).ok()?))
        }
        short => Some((2, usize::from(short))),
    }
}

/// Whether the first frame closes the connection.
pub(crate) fn closes(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first & 0x0f == 8)
}

/// A client's text frame. A mask of zeros is a mask (§5.3 asks clients for unpredictable ones, for the sake of proxies);
/// servers unmask it as any other.
pub(crate) fn text(text: &str) -> Vec<u8> {
    let mut frame = Vec::with_capacity(text.len() + 14);
    frame.push(0x81);
    let length = text.len();
    if let Ok(short @ 0..=125) = u8::try_from(length) {
        frame.push(0x80 | short);
    } else if let Ok(long) = u16::try_from(length) {
        frame.push(0x80 | 0x7e);
        frame.extend_from_slice(&long.to_be_bytes());
    } else {
        frame.push(0x80 | 0x7f);
        frame.extend_from_slice(&(length as u64).to_be_bytes());
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

#[cfg(test)]
mod tests;
