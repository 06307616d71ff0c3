//! W3C Trace Context, level 1: <https://www.w3.org/TR/trace-context-1/>.
use std::fmt;

/// Where a call belongs in a trace. Shows itself as a `traceparent` header's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Never 0.
    pub id: [u8; 16],
    /// The span that what happens next is part of. Never 0.
    pub span: [u8; 8],
    /// Whether the caller records it.
    pub sampled: bool,
}

impl Trace {
    /// A `traceparent` header's value. `None` if it is malformed: the header is then as good as absent.
    ///
    /// A version higher than ours may have more after what we know, as the specification says.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let version: [u8; 1] = hex(parts.next()?)?;
        let (id, span) = (hex::<16>(parts.next()?)?, hex::<8>(parts.next()?)?);
        let [flags] = hex::<1>(parts.next()?)?;
        let known = version == [0] && parts.next().is_none();
        let later = version != [0] && version != [0xff];
        let is_zero = id == [0; 16] || span == [0; 8];
        (known || later).then_some(()).filter(|()| !is_zero)?;
        Some(Self {
            id,
            span,
            sampled: flags & 1 == 1,
        })
    }

    /// The trace's id: 32 hex digits.
    pub fn id_text(&self) -> String {
        Hex(&self.id).to_string()
    }

    /// The span's id: 16 hex digits.
    pub fn span_text(&self) -> String {
        Hex(&self.span).to_string()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, span) = (Hex(&self.id), Hex(&self.span));
        write!(f, "00-{id}-{span}-{:02x}", u8::from(self.sampled))
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Exactly `N` bytes in lower case, as the specification demands.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
