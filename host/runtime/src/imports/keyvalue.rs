use std::sync::Arc;

use bytes::Bytes;
use router::Limit;
use wasmtime::component::Resource;

use crate::{
    bindings::wasi::keyvalue::{
        atomics,
        store::{self, Error, KeyResponse},
    },
    limits::Over,
    state::State,
};

/// Bytes of a bucket's name and of a key. The backplane's keys have 512, so that both and a prefix fit into one.
const BUCKET_BYTES_MAX: usize = 64;
const KEY_BYTES_MAX: usize = 256;

/// Keys of one `list-keys`.
const KEYS_MAX: usize = 1_000;

/// An open bucket: a name in the app's own space.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Bucket {
    name: Arc<str>,
}

/// Why a key-value import did not do what it was asked.
pub(crate) enum KvRefused {
    Error(Error),
    Trap(wasmtime::Error),
}

type Answer<T> = Result<T, KvRefused>;

impl store::Host for State {
    fn open(&mut self, identifier: String) -> Answer<Resource<Bucket>> {
        let name: Arc<str> = match identifier.as_str() {
            "" | "default" => Arc::from("default"),
            other if other.len() <= BUCKET_BYTES_MAX => Arc::from(other),
            _ => return Err(KvRefused::Error(Error::NoSuchStore)),
        };
        self.table
            .push(Bucket { name })
            .map_err(|error| KvRefused::Trap(error.into()))
    }

    fn convert_error(&mut self, refused: KvRefused) -> wasmtime::Result<Error> {
        match refused {
            KvRefused::Error(error) => Ok(error),
            KvRefused::Trap(trap) => Err(trap),
        }
    }
}

impl store::HostBucket for State {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Answer<Option<Vec<u8>>> {
        let bucket = self.bucket(&bucket)?;
        let value = self.read(&bucket, &key).await?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Answer<()> {
        let bucket = self.bucket(&bucket)?;
        self.write(&bucket, key, Some(value.into()))
    }

    fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Answer<()> {
        let bucket = self.bucket(&bucket)?;
        self.write(&bucket, key, None)
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Answer<bool> {
        let bucket = self.bucket(&bucket)?;
        Ok(self.read(&bucket, &key).await?.is_some())
    }

    async fn list_keys(&mut self, bucket: Resource<Bucket>, cursor: Option<u64>) -> Answer<KeyResponse> {
        let bucket = self.bucket(&bucket)?;
        self.transaction.admit_read(&self.limits)?;
        let after = match cursor {
            None => None,
            Some(cursor) => {
                let index = usize::try_from(cursor)
                    .ok()
                    .and_then(|cursor| cursor.checked_sub(1));
                let key = index.and_then(|index| self.transaction.cursors.get(index));
                Some(
                    key.cloned()
                        .ok_or_else(|| other("cursor: not one of this call"))?,
                )
            }
        };
        let page = self
            .host
            .kv_keys(&bucket, after.as_deref(), KEYS_MAX)
            .await
            .map_err(other)?;
        let end = if page.len() < KEYS_MAX {
            None
        } else {
            page.last().cloned()
        };
        self.transaction
            .admit_bytes(page.iter().map(String::len).sum(), &self.limits)?;
        let keys = self
            .transaction
            .kv
            .merge(&bucket, after.as_deref(), page, end.is_none());
        let cursor = end.map(|end| {
            self.transaction.cursors.push(end);
            self.transaction.cursors.len() as u64
        });
        Ok(KeyResponse { keys, cursor })
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for State {
    /// A value is the number in decimal digits, as other hosts of this interface keep it.
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Answer<u64> {
        let bucket = self.bucket(&bucket)?;
        let value = self.read(&bucket, &key).await?;
        let number = match &value {
            None => Some(0),
            Some(digits) => std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse::<u64>().ok()),
        };
        let number = number.ok_or_else(|| other("increment: the value is not a number"))?;
        let sum = number
            .checked_add(delta)
            .ok_or_else(|| other("increment: the sum exceeds 64 bits"))?;
        self.write(&bucket, key, Some(sum.to_string().into()))?;
        Ok(sum)
    }
}

impl State {
    fn bucket(&self, bucket: &Resource<Bucket>) -> Answer<Arc<str>> {
        let bucket = self
            .table
            .get(bucket)
            .map_err(|error| KvRefused::Trap(error.into()))?;
        Ok(Arc::clone(&bucket.name))
    }

    /// A value as this call sees it. The store is asked for a key once.
    async fn read(&mut self, bucket: &Arc<str>, key: &str) -> Answer<Option<Bytes>> {
        check_key(key)?;
        self.transaction.admit_read(&self.limits)?;
        let value = if let Some(known) = self.transaction.kv.get(bucket, key) {
            known
        } else {
            let stored = self.host.kv_get(bucket, key).await.map_err(other)?;
            let value = stored.as_ref().map(|(value, _)| value.clone());
            self.transaction.kv.record(bucket, key, stored);
            value
        };
        self.transaction
            .admit_bytes(value.as_ref().map_or(0, Bytes::len), &self.limits)?;
        Ok(value)
    }

    fn write(&mut self, bucket: &Arc<str>, key: String, value: Option<Bytes>) -> Answer<()> {
        check_key(&key)?;
        let bytes = value.as_ref().map_or(0, Bytes::len);
        let max = self.limits.kv_value_bytes;
        if bytes > max {
            self.transaction.hit(Limit::KvValueBytes);
            return Err(other(format!(
                "limit exceeded: value is {bytes} bytes; {}",
                Limit::KvValueBytes.describe(max)
            )));
        }
        self.transaction.admit_bytes(bytes + key.len(), &self.limits)?;
        if !self.transaction.kv.writes_key(bucket, &key) {
            self.transaction.admit_write(&self.limits)?;
        }
        self.transaction.kv.set(bucket, key, value);
        Ok(())
    }
}

fn check_key(key: &str) -> Answer<()> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(other(format!("a key has 1 to {KEY_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn other(text: impl Into<String>) -> KvRefused {
    KvRefused::Error(Error::Other(text.into()))
}

impl From<Over> for KvRefused {
    fn from(over: Over) -> Self {
        match over {
            Over::Refuse(text) => other(format!("limit exceeded: {text}")),
            Over::Trap(hit) => Self::Trap(hit.into()),
        }
    }
}
