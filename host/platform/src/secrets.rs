use std::{fmt, sync::Arc};

use backplane::{Change, Condition};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::{Platform, PlatformError, platform::now_ms, tries::Tries};

/// A secret as it is listed: its value is for the app's handler only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretInfo {
    pub key: String,
    pub updated_at_ms: u64,
}

/// A secret's value. Says nothing of itself in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Arc<str>);

/// Of a value: UTF-8, since handlers read strings.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;
/// Secrets of one app.
pub const SECRETS_MAX: usize = 100;

const BUCKET: &str = "secrets";
const KEY_BYTES_MAX: usize = 128;
/// Values read at once.
const TOGETHER: usize = 16;

impl SecretValue {
    pub fn expose(&self) -> &Arc<str> {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

impl Platform {
    /// Sets a secret of the app. Its handlers read it within seconds, on all nodes.
    pub async fn put_secret(
        &self,
        app: &str,
        key: &str,
        value: &[u8],
        by: &str,
    ) -> Result<(), PlatformError> {
        check_key(key)?;
        if value.len() > SECRET_BYTES_MAX || std::str::from_utf8(value).is_err() {
            return Err(PlatformError::invalid(format!(
                "a secret's value is text (UTF-8) of at most {SECRET_BYTES_MAX} bytes"
            )));
        }
        let mut tries = Tries::default();
        loop {
            let outcome = self.try_put_secret(app, key, value).await;
            if tries.again(&outcome).await {
                continue;
            }
            outcome?;
            self.audit(by, "secret.set", Some(app), key.to_owned()).await;
            return Ok(());
        }
    }

    async fn try_put_secret(&self, app: &str, key: &str, value: &[u8]) -> Result<(), PlatformError> {
        let sealer = self.sealer()?;
        let before = self.open(app).await?;
        let mut record = before.record.clone();
        record.secrets.insert(key.to_owned(), now_ms());
        if record.secrets.len() > SECRETS_MAX {
            return Err(PlatformError::Full {
                what: format!("the app has {SECRETS_MAX} secrets already: remove one first"),
            });
        }
        record.secrets_changes += 1;
        let sealed = sealer.seal(value, &bound_to(app, record.created_at_ms, key))?;
        let change = Change {
            key: store_key(app, key),
            value: Some(sealed.into()),
            condition: Condition::Always,
        };
        // The value first: whoever hears of the change finds it.
        self.backplane().write(BUCKET, vec![change]).await?;
        self.edit(app, Some(&before), &record, &[], true).await?;
        Ok(())
    }

    pub async fn remove_secret(&self, app: &str, key: &str, by: &str) -> Result<(), PlatformError> {
        let mut tries = Tries::default();
        loop {
            let outcome = self.try_remove_secret(app, key).await;
            if tries.again(&outcome).await {
                continue;
            }
            outcome?;
            self.remove_keys(BUCKET, vec![store_key(app, key)]).await?;
            self.audit(by, "secret.unset", Some(app), key.to_owned()).await;
            return Ok(());
        }
    }

    async fn try_remove_secret(&self, app: &str, key: &str) -> Result<(), PlatformError> {
        let before = self.open(app).await?;
        let mut record = before.record.clone();
        if record.secrets.remove(key).is_none() {
            return Err(PlatformError::NoSecret(key.to_owned()));
        }
        record.secrets_changes += 1;
        self.edit(app, Some(&before), &record, &[], true).await?;
        Ok(())
    }

    /// By their keys.
    pub async fn secrets(&self, app: &str) -> Result<Vec<SecretInfo>, PlatformError> {
        let record = self.open(app).await?.record;
        let info = |(key, updated_at_ms)| SecretInfo { key, updated_at_ms };
        Ok(record.secrets.into_iter().map(info).collect())
    }

    /// For the app's handlers, and nobody else: keys and values. An app without secrets needs no key to be there.
    pub async fn open_secrets(&self, app: &str) -> Result<Vec<(String, SecretValue)>, PlatformError> {
        let record = self.open(app).await?.record;
        if record.secrets.is_empty() {
            return Ok(Vec::new());
        }
        let born = record.created_at_ms;
        let opened: Vec<_> = stream::iter(
            record
                .secrets
                .into_keys()
                .map(|key| async move { self.open_secret(app, born, key).await }),
        )
        .buffered(TOGETHER)
        .try_collect()
        .await?;
        Ok(opened.into_iter().flatten().collect())
    }

    async fn open_secret(
        &self,
        app: &str,
        born: u64,
        key: String,
    ) -> Result<Option<(String, SecretValue)>, PlatformError> {
        let Some(sealed) = self.backplane().get(BUCKET, &store_key(app, &key)).await? else {
            // Removed since it was listed.
            return Ok(None);
        };
        let value = self
            .sealer()?
            .open(&sealed.bytes, &bound_to(app, born, &key))
            .map_err(|reason| PlatformError::Damaged {
                what: format!("secret {key:?}"),
                reason,
            })?;
        let value = String::from_utf8(value).map_err(|_| PlatformError::Damaged {
            what: format!("secret {key:?}"),
            reason: "it is no text".to_owned(),
        })?;
        Ok(Some((key, SecretValue(value.into()))))
    }

    pub(crate) async fn purge_secrets(
        &self,
        app: &str,
        keys: impl Iterator<Item = &String>,
    ) -> Result<(), PlatformError> {
        let keys = keys.map(|key| store_key(app, key)).collect();
        self.remove_keys(BUCKET, keys).await
    }
}

/// Whether `key` can name a secret.
fn check_key(key: &str) -> Result<(), PlatformError> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"_-.".contains(&c);
    if (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(plain) {
        return Ok(());
    }
    Err(PlatformError::invalid(format!(
        "a secret's key has 1 to {KEY_BYTES_MAX} letters, digits, `_`, `-` and `.`"
    )))
}

fn store_key(app: &str, key: &str) -> String {
    format!("{app}/{key}")
}

/// What a sealed value belongs to: nowhere else can it be opened, not even by another app of the same name.
fn bound_to(app: &str, born: u64, key: &str) -> String {
    format!("{app}/{born}/{key}")
}

#[cfg(test)]
mod tests;
