use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use crate::{
    Algorithm, JWKS_BYTES_MAX, Key, KeySet, Rejection,
    shelf::{Look, Shelf},
};

/// Fetches sets of keys. Implemented by the server over HTTP, by tests with what they like.
pub trait Fetch: Send + Sync + 'static {
    /// Answers the body of a 200. Follows no redirect, sends no credentials.
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'static, Result<Bytes, FetchError>>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    pub url: Arc<str>,
    /// A longer body is an error.
    pub bytes_max: usize,
    /// Whether the host may be at a private or loopback address.
    pub allow_private: bool,
}

/// Why there is no set of keys. Said in the operator's and the author's log, not to clients.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// A fetch may take this long; those who connect wait for it.
const FETCH_MAX: Duration = Duration::from_secs(10);
/// Sets that are kept although no verifier uses them (their app sleeps, or has a new manifest): 10 KiB each.
const IDLE_SETS_MAX: usize = 256;

/// Published keys, kept apart by app, issuer and URL: whoever publishes keys for one of them says nothing about another,
/// even under the same key id. One a process; shared by its cores.
pub struct KeyCache {
    fetch: Arc<dyn Fetch>,
    slots: Mutex<HashMap<Place, Arc<Slot>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    app: Arc<str>,
    issuer: Option<String>,
    url: Arc<str>,
}

impl KeyCache {
    pub fn new(fetch: Arc<dyn Fetch>) -> Self {
        Self {
            fetch,
            slots: Mutex::default(),
        }
    }

    pub(crate) fn slot(&self, app: &Arc<str>, issuer: Option<&str>, url: &str) -> Arc<Slot> {
        let place = Place {
            app: Arc::clone(app),
            issuer: issuer.map(str::to_owned),
            url: url.into(),
        };
        let mut slots = self.slots.lock();
        if slots.len() >= IDLE_SETS_MAX {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        let slot = slots.entry(place.clone()).or_insert_with(|| {
            Arc::new(Slot {
                place,
                shelf: Mutex::default(),
                fetching: tokio::sync::Mutex::default(),
            })
        });
        Arc::clone(slot)
    }

    /// The key that a token names, fetched if need be: by one, while the others that need it wait.
    pub(crate) async fn key(
        &self,
        slot: &Slot,
        id: Option<&str>,
        algorithm: Algorithm,
        allow_private: bool,
    ) -> Result<Key, Rejection> {
        let look = || slot.shelf.lock().look(id, algorithm, Instant::now());
        let mut looked = look();
        if matches!(looked, Look::Fetch) {
            let _one = slot.fetching.lock().await;
            looked = look();
            if matches!(looked, Look::Fetch) {
                let keys = self.fetch(slot, allow_private).await;
                slot.shelf.lock().fetched(keys, Instant::now());
                looked = look();
            }
        }
        match looked {
            Look::Found(key) => Ok(key),
            Look::Unknown => Err(Rejection::UnknownKey),
            // A fetch that took longer than its interval allows.
            Look::Down | Look::Fetch => Err(Rejection::Unavailable),
        }
    }

    async fn fetch(&self, slot: &Slot, allow_private: bool) -> Option<KeySet> {
        let Place { app, url, .. } = &slot.place;
        let request = FetchRequest {
            url: Arc::clone(url),
            bytes_max: JWKS_BYTES_MAX,
            allow_private,
        };
        let fetched = match timeout(FETCH_MAX, self.fetch.fetch(request)).await {
            Ok(Ok(body)) => KeySet::parse(&body).map_err(|error| error.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        match fetched {
            Ok(keys) => Some(keys),
            Err(error) => {
                tracing::warn!(%app, %url, %error, "the keys of auth.jwks could not be fetched");
                None
            }
        }
    }
}

impl std::fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyCache").finish_non_exhaustive()
    }
}

/// One set, and who fetches it.
#[derive(Debug)]
pub(crate) struct Slot {
    place: Place,
    /// Held only to look.
    shelf: Mutex<Shelf>,
    /// Held across the fetch.
    fetching: tokio::sync::Mutex<()>,
}
