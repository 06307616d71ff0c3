use std::sync::Arc;

use serde::Deserialize;

use crate::{Algorithm, Key, keys::Jwk};

/// Bytes of a set. The largest in the wild, of issuers with many tenants, have some ten thousand.
pub const JWKS_BYTES_MAX: usize = 256 * 1024;
/// Keys of a set; what follows is not read.
const KEYS_MAX: usize = 100;

/// Keys that somebody publishes, as far as they are of use (RFC 7517 §5: others are passed over).
#[derive(Debug, Default)]
pub struct KeySet(Vec<(Option<Arc<str>>, Key)>);

/// The publisher is at fault.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    #[error("the set of keys has more than {JWKS_BYTES_MAX} bytes")]
    TooLong,
    #[error("the answer is no set of keys: {0}")]
    NoSet(#[from] serde_json::Error),
    /// Taking it would lock all clients out, where the keys before still serve.
    #[error("the set has no public key for RS256, ES256 or EdDSA")]
    Empty,
}

impl KeySet {
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        if bytes.len() > JWKS_BYTES_MAX {
            return Err(KeySetError::TooLong);
        }
        let set: Set = serde_json::from_slice(bytes)?;
        // One by one, so that a key of a kind nobody knows here does not spoil the others.
        let keys = set.keys.into_iter().take(KEYS_MAX).filter_map(|key| {
            let jwk: Jwk = serde_json::from_value(key).ok()?;
            let id = jwk.kid.as_deref().map(Arc::from);
            Some((id, Key::from_jwk(&jwk)?))
        });
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() {
            return Err(KeySetError::Empty);
        }
        Ok(Self(keys))
    }

    /// The key of that id, for that algorithm. A token that names none is taken where only one can be meant.
    pub(crate) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut keys = self.0.iter().filter(|(known, key)| {
            key.algorithm() == algorithm && id.is_none_or(|id| known.as_deref() == Some(id))
        });
        let (_, first) = keys.next()?;
        (id.is_some() || keys.next().is_none()).then_some(first)
    }
}
