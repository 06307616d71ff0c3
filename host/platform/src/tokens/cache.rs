use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{Digest, Identity, platform::now_ms};

/// Tokens looked up lately, those that do not exist included.
#[derive(Default)]
pub(crate) struct TokenCache(Mutex<HashMap<Digest, Cached>>);

#[derive(Clone)]
pub(super) struct Cached {
    pub(super) at: Instant,
    /// The identity, and when it ends.
    pub(super) found: Option<(Arc<Identity>, Option<u64>)>,
}

/// A token that was revoked on another node is valid here for this long at most.
const FRESH: Duration = Duration::from_secs(3);
const CACHED_MAX: usize = 10_000;

impl TokenCache {
    pub(super) fn get(&self, hash: &Digest) -> Option<Cached> {
        let cache = self.0.lock();
        let cached = cache.get(hash)?;
        (cached.at.elapsed() < FRESH).then(|| cached.clone())
    }

    pub(super) fn put(&self, hash: Digest, cached: Cached) -> Option<Arc<Identity>> {
        let identity = cached.identity();
        let mut cache = self.0.lock();
        if cache.len() >= CACHED_MAX {
            cache.retain(|_, cached| cached.at.elapsed() < FRESH);
        }
        // So many within moments: most of them guesses. Those who are right ask the store, then.
        if cache.len() < CACHED_MAX {
            cache.insert(hash, cached);
        }
        identity
    }

    pub(super) fn forget(&self, hash: &Digest) {
        self.0.lock().remove(hash);
    }
}

impl Cached {
    pub(super) fn identity(&self) -> Option<Arc<Identity>> {
        let (identity, ends) = self.found.as_ref()?;
        ends.is_none_or(|ends| now_ms() < ends)
            .then(|| Arc::clone(identity))
    }
}
