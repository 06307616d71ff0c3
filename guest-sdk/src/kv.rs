//! The app's key-value space: shared by all its handlers on all nodes, and by nobody else.
//!
//! Writes are part of the call: they are read back by the same call, stored before anything is emitted, and
//! undone if the call fails. Values are JSON, or bytes with the functions that say so.
//!
//! If another call has meanwhile written a key that this one read and wrote, nothing of this one happens and it is
//! run again from its beginning: at most 5 tries, then it fails. Outgoing HTTP is outside of that: every try sends
//! its requests.
//!
//! ```
//! use wakeline_sdk::{kv, prelude::*};
//!
//! fn remember(room: &str, text: String) -> Result<usize> {
//!     kv::update(&format!("history:{room}"), |history: &mut Vec<String>| {
//!         history.push(text);
//!         history.len()
//!     })
//! }
//! ```
use serde::{Serialize, de::DeserializeOwned};

use crate::{Result, host};

/// What is stored under `key`.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    let value = get_bytes(key)?;
    Ok(value.map(|value| serde_json::from_slice(&value)).transpose()?)
}

/// Stores `value` under `key`.
pub fn set<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<()> {
    set_bytes(key, &serde_json::to_vec(value)?)
}

/// Reads a value (`T::default()` if there is none), has it changed, and stores it. Answers what `change` does.
///
/// Calls that do this at the same time do not overwrite one another: the later one is run again. For counters there
/// is [`increment`].
pub fn update<T, R>(key: &str, change: impl FnOnce(&mut T) -> R) -> Result<R>
where
    T: Serialize + DeserializeOwned + Default,
{
    let mut value = get(key)?.unwrap_or_default();
    let result = change(&mut value);
    set(key, &value)?;
    Ok(result)
}

/// What is stored under `key`, as it is.
pub fn get_bytes(key: &str) -> Result<Option<Vec<u8>>> {
    host::kv_get(key)
}

/// Stores bytes as they are.
pub fn set_bytes(key: &str, value: &[u8]) -> Result<()> {
    host::kv_set(key, value)
}

/// Removes `key`. Does nothing if it is not there.
pub fn delete(key: &str) -> Result<()> {
    host::kv_delete(key)
}

/// Whether there is a value under `key`.
pub fn exists(key: &str) -> Result<bool> {
    host::kv_exists(key)
}

/// Adds to a counter, atomically, and answers its new value. A key that does not exist counts from 0.
///
/// A counter is not JSON: read it with `increment(key, 0)`.
pub fn increment(key: &str, delta: u64) -> Result<u64> {
    host::kv_increment(key, delta)
}

/// All keys that begin with `prefix`, in no particular order. Expensive for large stores.
pub fn list(prefix: &str) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    let mut cursor = None;
    loop {
        let (page, next) = host::kv_list(cursor)?;
        keys.extend(page.into_iter().filter(|key| key.starts_with(prefix)));
        match next {
            Some(next) => cursor = Some(next),
            None => return Ok(keys),
        }
    }
}
