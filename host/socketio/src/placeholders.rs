use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::ATTACHMENTS_MAX;

/// The attachments that a text's `{"_placeholder":true,"num":N}` objects stand for, wherever in it they lie.
#[derive(Debug)]
pub(crate) struct Placeholders {
    attachments: usize,
    /// Bit N: attachment N is stood for.
    seen: u16,
    illegal: bool,
}

impl Placeholders {
    /// Reads JSON text that goes with this many attachments. Nesting beyond 128 is an error: this keeps a stack.
    pub(crate) fn read(text: &str, attachments: usize) -> Result<Self, serde_json::Error> {
        assert!(attachments <= ATTACHMENTS_MAX, "callers refuse more");
        let mut placeholders = Self {
            attachments,
            seen: 0,
            illegal: false,
        };
        let mut deserializer = serde_json::Deserializer::from_str(text);
        Value(&mut placeholders).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(placeholders)
    }

    /// A number that is out of range, or none at all.
    pub(crate) fn has_illegal(&self) -> bool {
        self.illegal
    }

    /// How many attachments are stood for, each counted once.
    pub(crate) fn count(&self) -> usize {
        self.seen.count_ones() as usize
    }

    fn add(&mut self, num: &Found) {
        match num {
            Found::Index(index) if *index < self.attachments as u64 => self.seen |= 1 << index,
            Found::Index(_) | Found::True | Found::Other => self.illegal = true,
        }
    }
}

/// What of a value matters to the object around it.
enum Found {
    True,
    Index(u64),
    Other,
}

struct Value<'a>(&'a mut Placeholders);

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Found;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Found, E> {
        Ok(if value { Found::True } else { Found::Other })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Found, E> {
        Ok(Found::Index(value))
    }

    fn visit_i64<E>(self, _value: i64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_str<E>(self, _value: &str) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Found, A::Error> {
        while seq.next_element_seed(Value(self.0))?.is_some() {}
        Ok(Found::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut marked = false;
        let mut num = Found::Other;
        while let Some(key) = map.next_key_seed(KeySeed)? {
            let value = map.next_value_seed(Value(self.0))?;
            // Of a key given twice the last one holds, as in JavaScript.
            match key {
                Key::Placeholder => marked = matches!(value, Found::True),
                Key::Num => num = value,
                Key::Other => {}
            }
        }
        if marked {
            self.0.add(&num);
        }
        Ok(Found::Other)
    }
}

enum Key {
    Placeholder,
    Num,
    Other,
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "_placeholder" => Key::Placeholder,
            "num" => Key::Num,
            _ => Key::Other,
        })
    }
}
