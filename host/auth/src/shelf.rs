//! How long published keys are good for, and when to look for new ones.
use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{Algorithm, Key, KeySet};

/// Keys are fetched again when they are older: so a key that its issuer withdrew is soon not taken any more.
pub(crate) const FRESH: Duration = Duration::from_mins(10);
/// While they cannot be fetched, keys are taken until they are older than this.
pub(crate) const STALE_MAX: Duration = Duration::from_hours(1);
/// Between two requests for one set, however many tokens name unknown keys.
pub(crate) const FETCH_INTERVAL: Duration = Duration::from_secs(10);

/// The keys of one app, issuer and URL.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    keys: Option<(Arc<KeySet>, Instant)>,
    /// When they were last asked for, whatever came of it.
    tried: Option<Instant>,
}

/// What to do about a token.
#[derive(Debug)]
pub(crate) enum Look {
    Found(Key),
    /// Fetch the set and look again.
    Fetch,
    /// The issuer does not have it, or did not a moment ago.
    Unknown,
    /// There are no keys, and there were none a moment ago.
    Down,
}

impl Shelf {
    pub(crate) fn look(&self, id: Option<&str>, algorithm: Algorithm, now: Instant) -> Look {
        let may_fetch = self
            .tried
            .is_none_or(|tried| now.duration_since(tried) >= FETCH_INTERVAL);
        let age = |at: &Instant| now.duration_since(*at);
        let usable = self.keys.as_ref().filter(|(_, at)| age(at) < STALE_MAX);
        match usable {
            None if may_fetch => Look::Fetch,
            None => Look::Down,
            Some((keys, at)) => match keys.find(id, algorithm) {
                Some(key) if age(at) < FRESH || !may_fetch => Look::Found(key.clone()),
                Some(_) => Look::Fetch,
                None if may_fetch => Look::Fetch,
                None => Look::Unknown,
            },
        }
    }

    /// What came of a fetch. `None`: nothing, the keys before stay.
    pub(crate) fn fetched(&mut self, keys: Option<KeySet>, now: Instant) {
        self.tried = Some(now);
        if let Some(keys) = keys {
            self.keys = Some((Arc::new(keys), now));
        }
    }
}
