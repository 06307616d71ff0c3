use std::sync::Arc;

use async_nats::jetstream::stream::DirectGetErrorKind;
use backplane::{BLOB_BYTES_MAX, Error, check_blob, check_digest};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::time::{Duration, Instant};

use crate::{
    link::{DEADLINE, Link, Outgoing},
    names::{hex, random},
    wire::{Reader, Writer},
};

/// Blobs by digest: chunks, and a manifest after them. Without a manifest there is no blob.
#[derive(Clone)]
pub(crate) struct Blobs {
    link: Arc<Link>,
}

impl Blobs {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    pub(crate) async fn put(&self, blob: Bytes) -> Result<String, Error> {
        check_blob(&blob)?;
        let digest = hex(Sha256::digest(&blob).iter());
        if self.manifest(&digest).await? == Some(blob.len() as u64) && self.get(&digest).await?.is_some() {
            return Ok(digest);
        }
        // Of this call: what was put, deleted and is put again within the duplicate window is no duplicate.
        let call = random();
        let subject = self.link.names.blob(&digest);
        let deadline = Instant::now() + DEADLINE + Duration::from_millis(blob.len() as u64 >> 10);
        let chunks = (0..blob.len().div_ceil(CHUNK_BYTES)).map(|number| {
            let start = number * CHUNK_BYTES;
            let payload = blob.slice(start..blob.len().min(start + CHUNK_BYTES));
            let message = Outgoing {
                subject: format!("{subject}.{number}"),
                payload,
                id: format!("{call:016x}.{number}"),
                expected: None,
            };
            async move { self.link.publish(&message, deadline).await.map(drop) }
        });
        let chunks: Vec<_> = chunks.collect();
        let stored: Result<Vec<()>, _> = stream::iter(chunks).buffered(TOGETHER).try_collect().await;
        stored?;
        let manifest = Outgoing {
            subject,
            payload: Writer::default().u8(VERSION).u64(blob.len() as u64).done(),
            id: format!("{call:016x}.manifest"),
            expected: None,
        };
        self.link.publish(&manifest, deadline).await?;
        Ok(digest)
    }

    /// `None` too if chunks are missing (somebody deletes it) or damaged: then it can be put again.
    pub(crate) async fn get(&self, digest: &str) -> Result<Option<Bytes>, Error> {
        check_digest(digest)?;
        let Some(size) = self.manifest(digest).await? else {
            return Ok(None);
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > BLOB_BYTES_MAX {
            return Ok(None);
        }
        let subject = self.link.names.blob(digest);
        let numbers = stream::iter(0..size.div_ceil(CHUNK_BYTES));
        let mut chunks = numbers
            .map(|number| self.chunk(format!("{subject}.{number}")))
            .buffered(TOGETHER);
        let mut blob = BytesMut::with_capacity(size);
        while let Some(chunk) = chunks.try_next().await? {
            let Some(chunk) = chunk else { return Ok(None) };
            blob.extend_from_slice(&chunk);
            if blob.len() > size {
                return Ok(None);
            }
        }
        let intact = hex(Sha256::digest(&blob).iter()) == digest;
        if !intact {
            tracing::error!(digest, "nats: a blob is damaged");
        }
        Ok(intact.then(|| blob.freeze()))
    }

    pub(crate) async fn delete(&self, digest: &str) -> Result<(), Error> {
        check_digest(digest)?;
        let stream = self.link.stream(&self.link.names.blob_stream()).await?;
        let subject = self.link.names.blob(digest);
        // The manifest first: without it the rest is nothing.
        for filter in [subject.clone(), format!("{subject}.*")] {
            let purge = || async {
                let purged = stream.purge().filter(filter.as_str()).await;
                purged.map(drop).map_err(|error| {
                    self.link.streams.miss();
                    error.to_string()
                })
            };
            self.link.persevere(purge).await?;
        }
        Ok(())
    }

    async fn manifest(&self, digest: &str) -> Result<Option<u64>, Error> {
        let stream = self.link.names.blob_stream();
        let found = self.link.last(&stream, &self.link.names.blob(digest)).await?;
        Ok(found.and_then(|message| {
            let mut input = Reader(message.payload);
            (input.u8()? == VERSION).then(|| input.u64())?
        }))
    }

    /// A direct get first, which carries bytes as they are and any replica answers; the digest tells if it is right.
    async fn chunk(&self, subject: String) -> Result<Option<Bytes>, Error> {
        let name = self.link.names.blob_stream();
        let stream = self.link.stream(&name).await?;
        let attempt = || async {
            match stream.direct_get_last_for_subject(subject.as_str()).await {
                Ok(message) => Ok(Some(message.payload)),
                Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.to_string()),
            }
        };
        let direct = self.link.persevere(attempt).await?;
        match direct {
            Some(payload) => Ok(Some(payload)),
            None => Ok(self
                .link
                .last(&name, &subject)
                .await?
                .map(|message| message.payload)),
        }
    }
}

const VERSION: u8 = 1;
/// Half of what a server takes by default.
const CHUNK_BYTES: usize = 512 << 10;
/// Chunks at a time.
const TOGETHER: usize = 8;
