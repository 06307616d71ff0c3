//! Levels by their names, as wasi:logging spells them.
use runtime::LogLevel;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

const LEVELS: [(&str, LogLevel); 6] = [
    ("trace", LogLevel::Trace),
    ("debug", LogLevel::Debug),
    ("info", LogLevel::Info),
    ("warn", LogLevel::Warn),
    ("error", LogLevel::Error),
    ("critical", LogLevel::Critical),
];

pub(crate) fn parse(name: &str) -> Option<LogLevel> {
    LEVELS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, level)| *level)
}

pub(crate) fn name(level: LogLevel) -> &'static str {
    LEVELS
        .iter()
        .find(|(_, known)| *known == level)
        .map_or("info", |(name, _)| name)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
pub(super) fn serialize<S: Serializer>(level: &LogLevel, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(name(*level))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<LogLevel, D::Error> {
    let name = String::deserialize(from)?;
    parse(&name).ok_or_else(|| D::Error::custom(format!("there is no level {name:?}")))
}
