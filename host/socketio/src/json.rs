//! JSON text, checked but never built into values. Skipping a value keeps no stack: depth costs one byte of heap.
use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// A JSON array, checked as a whole.
pub(crate) struct Array<'a> {
    /// Its text without brackets and outer white space.
    pub(crate) inner: &'a str,
    /// The text of the first element.
    pub(crate) first: Option<&'a str>,
}

impl<'a> Array<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        let Elements { first } = serde_json::from_str(text)?;
        let text = text.trim_matches(WHITE_SPACE);
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let inner = inner.unwrap_or_else(|| unreachable!("what was read as an array has its brackets"));
        Ok(Self {
            inner: inner.trim_matches(WHITE_SPACE),
            first: first.map(RawValue::get),
        })
    }
}

/// The first element of a checked array's inner text, and the inner text of the others.
pub(crate) fn split_first(inner: &str) -> (&str, &str) {
    if let Some(split) = split_plain(inner) {
        return split;
    }
    let mut values = serde_json::Deserializer::from_str(inner).into_iter::<&RawValue>();
    let Some(Ok(first)) = values.next() else {
        return ("", "");
    };
    let rest = inner
        .get(values.byte_offset()..)
        .unwrap_or_default()
        .trim_start_matches(WHITE_SPACE);
    let rest = rest.strip_prefix(',').unwrap_or_default();
    (first.get(), rest.trim_start_matches(WHITE_SPACE))
}

/// The same where the first element is a string in which nothing is escaped, as names of events are: it ends with the next
/// quotation mark, and what follows has been checked.
fn split_plain(inner: &str) -> Option<(&str, &str)> {
    let after = inner.strip_prefix('"')?;
    let end = after.bytes().position(|byte| byte == b'"' || byte == b'\\')?;
    let (first, rest) = inner.split_at_checked(end + 2)?;
    if !first.ends_with('"') {
        return None;
    }
    let rest = rest.trim_start_matches(WHITE_SPACE);
    let rest = rest.strip_prefix(',').unwrap_or_default();
    Some((first, rest.trim_start_matches(WHITE_SPACE)))
}

/// Whether `text` is one JSON object.
pub(crate) fn is_object(text: &str) -> bool {
    serde_json::from_str::<Object>(text).is_ok()
}

pub(crate) fn is_value(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// `text` as a JSON string, quotes included.
pub(crate) fn string(text: &str) -> String {
    if is_plain(text) {
        return ["\"", text, "\""].concat();
    }
    let json = serde_json::to_string(text);
    json.unwrap_or_else(|_| unreachable!("a string is always JSON"))
}

/// Whether `text` between quotes is its own JSON string.
pub(crate) fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

/// The string that checked JSON text stands for, if it stands for one. Copies only where something is escaped.
pub(crate) fn unquote(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(json).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

struct Elements<'a> {
    first: Option<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ElementsVisitor)
    }
}

struct ElementsVisitor;

impl<'de> Visitor<'de> for ElementsVisitor {
    type Value = Elements<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let first = seq.next_element()?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Elements { first })
    }
}

struct Object;

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Object)
    }
}

/// JSON's, which is less than Unicode's.
const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];
