//! What callers may ask for. Every implementation refuses the same with [`Error::Invalid`], naming the limit.
use bytes::Bytes;
use router::Delivery;

use crate::{Change, Error};

/// Names of apps, topics, buckets and keys, and idempotency keys: at least 1 byte and at most this.
pub const NAME_BYTES_MAX: usize = 512;
/// One value of a bucket: two of them fit one NATS message of the default size, 1 MiB.
pub const VALUE_BYTES_MAX: usize = 500_000;
/// Keys written by one [`write`](crate::Backplane::write).
pub const CHANGES_MAX: usize = 1024;
/// One entry of a log, by [`Delivery::size_estimate`].
pub const ENTRY_BYTES_MAX: usize = 8 << 20;
/// Entries of one [`append`](crate::Backplane::append): more than one handler call can emit.
pub const APPEND_ENTRIES_MAX: usize = 4096;
/// One [`publish`](crate::Backplane::publish).
pub const PAYLOAD_BYTES_MAX: usize = 8 << 20;
/// One blob: a large component with room to spare.
pub const BLOB_BYTES_MAX: usize = 256 << 20;

pub fn check_name(what: &str, name: &str) -> Result<(), Error> {
    match name.len() {
        1..=NAME_BYTES_MAX => Ok(()),
        0 => Err(Error::Invalid(format!("{what} is empty"))),
        bytes => Err(Error::Invalid(format!(
            "{what} of {bytes} bytes; at most {NAME_BYTES_MAX}"
        ))),
    }
}

/// A prefix, or a key to start after: may be empty.
pub fn check_bound(what: &str, bound: &str) -> Result<(), Error> {
    check_max(what, bound.len(), NAME_BYTES_MAX, "bytes")
}

pub fn check_entries<'a>(entries: impl ExactSizeIterator<Item = &'a Delivery>) -> Result<(), Error> {
    check_max("append", entries.len(), APPEND_ENTRIES_MAX, "entries")?;
    for entry in entries {
        check_max("entry", entry.size_estimate(), ENTRY_BYTES_MAX, "bytes")?;
    }
    Ok(())
}

pub fn check_changes(changes: &[Change]) -> Result<(), Error> {
    check_max("write", changes.len(), CHANGES_MAX, "changes")?;
    for change in changes {
        check_name("key", &change.key)?;
        check_max(
            "value",
            change.value.as_ref().map_or(0, Bytes::len),
            VALUE_BYTES_MAX,
            "bytes",
        )?;
    }
    // Sorted rather than compared pairwise: a thousand changes are allowed.
    let mut keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
    keys.sort_unstable();
    match keys
        .windows(2)
        .find_map(|pair| (pair.first() == pair.last()).then(|| pair.first()).flatten())
    {
        Some(key) => Err(Error::Invalid(format!("write names key {key:?} twice"))),
        None => Ok(()),
    }
}

pub fn check_payload(payload: &Bytes) -> Result<(), Error> {
    check_max("payload", payload.len(), PAYLOAD_BYTES_MAX, "bytes")
}

pub fn check_blob(blob: &Bytes) -> Result<(), Error> {
    check_max("blob", blob.len(), BLOB_BYTES_MAX, "bytes")
}

/// Digests become file names and keys: nothing but 64 lower-case hex digits may pass.
pub fn check_digest(digest: &str) -> Result<(), Error> {
    let hex = digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if hex {
        Ok(())
    } else {
        Err(Error::Invalid("digest is not 64 lower-case hex digits".into()))
    }
}

fn check_max(what: &str, found: usize, max: usize, unit: &str) -> Result<(), Error> {
    if found <= max {
        Ok(())
    } else {
        Err(Error::Invalid(format!("{what} of {found} {unit}; at most {max}")))
    }
}
