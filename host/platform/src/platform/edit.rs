use backplane::{Change, Condition};
use bytes::Bytes;
use serde::Serialize;

use super::{Opened, Platform, read};
use crate::{
    PlatformError,
    records::{AppRecord, BUCKET, CHANGES, Changes, TOPIC, app_key},
};

/// One change of an app's record, and all that goes with it.
pub(super) struct Edit<'a> {
    pub(super) app: &'a str,
    /// As it was read. `None`: there was no such app.
    pub(super) before: Option<&'a Opened>,
    /// `None`: there will be no such app.
    pub(super) after: Option<&'a AppRecord>,
    /// Those that `after` names and `before` does not.
    pub(super) blobs: &'a [Bytes],
    /// Whether nodes must hear of it.
    pub(super) told: bool,
}

impl Platform {
    /// Writes all of it or nothing. [`PlatformError::Conflict`]: somebody else was first, so read again. Answers how
    /// many changes there were, this one included, if nodes must hear of it.
    pub(super) async fn apply(&self, edit: Edit<'_>) -> Result<u64, PlatformError> {
        // Uses are counted as of before the upload: a blob that is deleted meanwhile is a conflict.
        let uses = self.count_uses(&edit).await?;
        for blob in edit.blobs {
            self.backplane().put_blob(blob.clone()).await?;
        }
        let mut changes: Vec<Change> = uses.changes;
        changes.push(Change {
            key: app_key(edit.app),
            value: edit.after.map(encode).transpose()?,
            condition: edit
                .before
                .map_or(Condition::Absent, |opened| Condition::Revision(opened.revision)),
        });
        let mut n = 0;
        if edit.told {
            let (change, at) = self.tell(edit.app).await?;
            changes.push(change);
            n = at;
        }
        self.backplane().write(BUCKET, changes).await?;
        if edit.told {
            // A hint: whoever misses it looks for itself.
            let hint = self.backplane().publish(TOPIC, n.to_string().into()).await;
            if let Err(error) = hint {
                tracing::debug!(%error, "the other nodes will hear of a change a little later");
            }
        }
        self.drop_blobs(uses.dead).await;
        Ok(n)
    }

    async fn tell(&self, app: &str) -> Result<(Change, u64), PlatformError> {
        let now = self.backplane().get(BUCKET, CHANGES).await?;
        let (mut changes, condition) = match &now {
            Some(value) => (
                read::<Changes>(&value.bytes, || "changes".to_owned())?,
                Condition::Revision(value.revision),
            ),
            None => (Changes::default(), Condition::Absent),
        };
        changes.add(app);
        let change = Change {
            key: CHANGES.to_owned(),
            value: Some(encode(&changes)?),
            condition,
        };
        Ok((change, changes.n))
    }
}

pub(crate) fn encode(record: &impl Serialize) -> Result<Bytes, PlatformError> {
    let bytes = serde_json::to_vec(record).map_err(|error| PlatformError::Damaged {
        what: "a record".to_owned(),
        reason: error.to_string(),
    })?;
    Ok(bytes.into())
}
