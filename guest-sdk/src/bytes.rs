use std::{cell::RefCell, fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};

/// Binary data: a `Buffer`, `ArrayBuffer` or `Blob` of the client, anywhere among an event's arguments.
///
/// In arguments it travels as an attachment, not as JSON. Elsewhere (socket state, key-value store) it is
/// written as a base64 string. Cloning is cheap.
///
/// ```
/// use wakeline_sdk::{prelude::*, Args};
///
/// #[derive(Serialize, Deserialize)]
/// struct Picture {
///     title: String,
///     data: Bytes,
/// }
///
/// let args = Args::new((Picture { title: "cat".into(), data: Bytes::from(vec![1, 2]) },))?;
/// assert_eq!(args.json(), r#"[{"title":"cat","data":{"_placeholder":true,"num":0}}]"#);
/// assert_eq!(args.attachments(), [vec![1, 2]]);
/// let (picture,): (Picture,) = args.parse()?;
/// assert_eq!(*picture.data, [1, 2]);
/// # Ok::<(), wakeline_sdk::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bytes(Arc<Vec<u8>>);

impl Bytes {
    /// The bytes, without a copy if nobody else holds them.
    pub fn into_vec(self) -> Vec<u8> {
        Arc::unwrap_or_clone(self.0)
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl<const N: usize> From<[u8; N]> for Bytes {
    fn from(bytes: [u8; N]) -> Self {
        bytes.to_vec().into()
    }
}

impl PartialEq<Vec<u8>> for Bytes {
    fn eq(&self, other: &Vec<u8>) -> bool {
        *self.0 == *other
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} bytes)", self.len())
    }
}

// serde has no side channel, so while arguments are written or read their attachments are in one of these.
// Handlers are single-threaded and these scopes do not nest across calls.
thread_local! {
    static WRITING: RefCell<Option<Vec<Bytes>>> = const { RefCell::new(None) };
    static READING: RefCell<Option<Vec<Bytes>>> = const { RefCell::new(None) };
}

/// Runs `write`, collecting the [`Bytes`] that it serialises as attachments.
pub(crate) fn collecting<T>(write: impl FnOnce() -> T) -> (T, Vec<Bytes>) {
    let outer = WRITING.replace(Some(Vec::new()));
    let result = write();
    (result, WRITING.replace(outer).unwrap_or_default())
}

/// Runs `read`, in which placeholders become the `attachments` that they name.
pub(crate) fn providing<T>(attachments: &[Bytes], read: impl FnOnce() -> T) -> T {
    let outer = READING.replace(Some(attachments.to_vec()));
    let result = read();
    READING.set(outer);
    result
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let index = WRITING.with_borrow_mut(|attachments| {
            let attachments = attachments.as_mut()?;
            attachments.push(self.clone());
            Some(attachments.len() - 1)
        });
        let Some(index) = index else {
            return serializer.serialize_str(&base64::encode(self));
        };
        let mut placeholder = serializer.serialize_struct("Bytes", 2)?;
        placeholder.serialize_field("_placeholder", &true)?;
        placeholder.serialize_field("num", &index)?;
        placeholder.end()
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("binary data")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
        // Only what we stored ourselves is base64: a client's string is not binary data.
        if READING.with_borrow(Option::is_some) {
            return Err(E::invalid_type(de::Unexpected::Str(text), &self));
        }
        base64::decode(text)
            .map(Bytes::from)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &"base64"))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Bytes, A::Error> {
        let (mut placeholder, mut index) = (false, None);
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match key.as_ref() {
                "_placeholder" => placeholder = map.next_value()?,
                "num" => index = Some(map.next_value::<usize>()?),
                _ => {
                    map.next_value::<de::IgnoredAny>()?;
                }
            }
        }
        let (true, Some(index)) = (placeholder, index) else {
            return Err(de::Error::invalid_type(de::Unexpected::Map, &self));
        };
        READING
            .with_borrow(|attachments| attachments.as_ref()?.get(index).cloned())
            .ok_or_else(|| de::Error::custom(format_args!("there is no attachment {index}")))
    }
}

mod base64 {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    pub(super) fn encode(bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
        for chunk in bytes.chunks(3) {
            let group = chunk
                .iter()
                .fold(0u32, |group, &byte| group << 8 | u32::from(byte))
                << (8 * (3 - chunk.len()));
            for position in 0..4 {
                let digit = DIGITS.get((group >> (18 - 6 * position) & 63) as usize);
                text.push(
                    digit
                        .filter(|_| position <= chunk.len())
                        .map_or('=', |&digit| char::from(digit)),
                );
            }
        }
        text
    }

    pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
        let digits = text.trim_end_matches('=');
        if text.len() % 4 != 0 || text.len() - digits.len() > 2 {
            return None;
        }
        let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
        let (mut group, mut bits) = (0u32, 0);
        for digit in digits.bytes() {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            group = group << 6 | u32::from(value);
            bits += 6;
            if bits >= 8 {
                bits -= 8;
                bytes.push((group >> bits & 255) as u8);
            }
        }
        Some(bytes)
    }
}
