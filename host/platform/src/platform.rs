use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use backplane::Backplane;
use serde::de::DeserializeOwned;

use crate::{
    Ceilings, PlatformError, SecretsKey,
    records::{AppRecord, BUCKET, app_key},
    tokens::TokenCache,
};

mod apps;
mod blobs;
mod delete;
mod edit;
mod rollout;
mod versions;

pub use apps::{AppInfo, LiveInfo, MANIFEST_BYTES_MAX};
pub use delete::data_bucket;
pub(crate) use edit::encode;
pub use rollout::{Failure, Told};
pub use versions::{Added, VersionInfo};

/// What changes apps, on behalf of the admin API. Every node has one, over the same store; what one writes, the
/// [`crate::Catalogue`]s of all take in. Every write takes `by`, who asked for it, for the record. Cheap to clone.
#[derive(Clone)]
pub struct Platform(Arc<Shared>);

struct Shared {
    backplane: Arc<dyn Backplane>,
    ceilings: Ceilings,
    /// `None`: no secrets can be stored or read.
    secrets_key: Option<SecretsKey>,
    token_cache: TokenCache,
}

/// An app's record as it was read.
pub(crate) struct Opened {
    pub(crate) record: AppRecord,
    pub(crate) revision: u64,
}

impl Platform {
    /// `ceilings`: what manifests are held to when they are uploaded. `secrets_key`: the same on all nodes; without one
    /// no secrets can be stored.
    pub fn new(backplane: Arc<dyn Backplane>, ceilings: Ceilings, secrets_key: Option<SecretsKey>) -> Self {
        Self(Arc::new(Shared {
            backplane,
            ceilings,
            secrets_key,
            token_cache: TokenCache::default(),
        }))
    }

    /// What manifests are held to.
    pub fn ceilings(&self) -> &Ceilings {
        &self.0.ceilings
    }

    pub(crate) fn backplane(&self) -> &dyn Backplane {
        &*self.0.backplane
    }

    pub(crate) fn sealer(&self) -> Result<&SecretsKey, PlatformError> {
        self.0.secrets_key.as_ref().ok_or(PlatformError::NoSecretsKey)
    }

    pub(crate) fn token_cache(&self) -> &TokenCache {
        &self.0.token_cache
    }

    async fn find(&self, app: &str) -> Result<Option<Opened>, PlatformError> {
        // Names that no app can have may be too long to ask for.
        if crate::check_app_name(app).is_err() {
            return Ok(None);
        }
        let Some(value) = self.backplane().get(BUCKET, &app_key(app)).await? else {
            return Ok(None);
        };
        let record = read(&value.bytes, || format!("app {app:?}"))?;
        Ok(Some(Opened {
            record,
            revision: value.revision,
        }))
    }

    pub(crate) async fn open(&self, app: &str) -> Result<Opened, PlatformError> {
        let found = self.find(app).await?;
        found.ok_or_else(|| PlatformError::NoApp(app.to_owned()))
    }
}

pub(crate) fn read<T: DeserializeOwned>(
    bytes: &[u8],
    what: impl FnOnce() -> String,
) -> Result<T, PlatformError> {
    serde_json::from_slice(bytes).map_err(|error| PlatformError::Damaged {
        what: what(),
        reason: error.to_string(),
    })
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
