//! Components, manifests and bundles are blobs by their digest, and apps share them: how many apps use one is counted in
//! the same write as the app's record, so that the last one to go can delete it.
use std::{collections::BTreeSet, time::Duration};

use backplane::{Change, Condition};

use super::{
    Platform,
    edit::{Edit, encode},
    now_ms, read,
};
use crate::{
    Digest, PlatformError,
    records::{BUCKET, BlobRecord, blob_key},
};

/// What an edit does to the uses of blobs.
pub(super) struct Uses {
    pub(super) changes: Vec<Change>,
    /// Nobody uses these any more once the edit is written.
    pub(super) dead: Vec<Digest>,
}

/// Whoever deletes a blob is done with it by then, or has died over it.
const DELETION_MAX: Duration = Duration::from_secs(30);

impl Platform {
    /// Whether any app has a version with this blob, or takes it into its next.
    pub async fn is_used(&self, digest: &Digest) -> Result<bool, PlatformError> {
        let key = blob_key(digest);
        let Some(value) = self.backplane().get(BUCKET, &key).await? else {
            return Ok(false);
        };
        Ok(read::<BlobRecord>(&value.bytes, || key)?.apps > 0)
    }

    pub(super) async fn count_uses(&self, edit: &Edit<'_>) -> Result<Uses, PlatformError> {
        let before = edit
            .before
            .map(|opened| opened.record.blobs())
            .unwrap_or_default();
        let after = edit
            .after
            .map_or_else(BTreeSet::new, crate::records::AppRecord::blobs);
        let mut uses = Uses {
            changes: Vec::new(),
            dead: Vec::new(),
        };
        for digest in before.symmetric_difference(&after) {
            let gained = after.contains(digest);
            let key = blob_key(digest);
            let now = self.backplane().get(BUCKET, &key).await?;
            let condition = now
                .as_ref()
                .map_or(Condition::Absent, |value| Condition::Revision(value.revision));
            let count = now
                .map(|value| read::<BlobRecord>(&value.bytes, || key.clone()))
                .transpose()?;
            let apps = match (count, gained) {
                // It is being deleted: wait until it is gone, then store it anew.
                (Some(count), true) if count.apps == 0 && is_young(count) => {
                    return Err(PlatformError::Conflict);
                }
                (count, true) => count.map_or(0, |count| count.apps) + 1,
                (count, false) => count.map_or(0, |count| count.apps.saturating_sub(1)),
            };
            if apps == 0 {
                uses.dead.push(*digest);
            }
            let record = BlobRecord {
                apps,
                since_ms: now_ms(),
            };
            uses.changes.push(Change {
                key,
                value: Some(encode(&record)?),
                condition,
            });
        }
        Ok(uses)
    }

    /// What cannot be deleted now stays behind and costs its bytes, no more.
    pub(super) async fn drop_blobs(&self, dead: Vec<Digest>) {
        for digest in dead {
            if let Err(error) = self.drop_blob(&digest).await {
                tracing::warn!(%digest, %error, "a blob that nobody uses could not be deleted");
            }
        }
    }

    async fn drop_blob(&self, digest: &Digest) -> Result<(), PlatformError> {
        let key = blob_key(digest);
        let Some(value) = self.backplane().get(BUCKET, &key).await? else {
            return Ok(());
        };
        if read::<BlobRecord>(&value.bytes, || key.clone())?.apps > 0 {
            return Ok(());
        }
        self.backplane().delete_blob(&digest.to_string()).await?;
        let gone = Change {
            key,
            value: None,
            condition: Condition::Revision(value.revision),
        };
        self.backplane().write(BUCKET, vec![gone]).await?;
        Ok(())
    }
}

fn is_young(count: BlobRecord) -> bool {
    u128::from(now_ms().saturating_sub(count.since_ms)) < DELETION_MAX.as_millis()
}
