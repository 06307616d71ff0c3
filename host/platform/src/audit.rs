use backplane::{Change, Condition, Value};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::{
    Platform, PlatformError,
    platform::{now_ms, read},
    tries::Tries,
};

/// Who changed what. Never has a secret's value or a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub at_ms: u64,
    pub by: String,
    pub action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    pub detail: String,
}

/// Entries kept of one app, which its own people may see.
pub const AUDIT_APP_MAX: u64 = 1_000;
/// Entries kept of all apps together, for operators; an app that is gone is still in them.
pub const AUDIT_ALL_MAX: u64 = 10_000;

const BUCKET: &str = "audit";
/// Of [`AuditEntry::detail`].
const DETAIL_BYTES_MAX: usize = 1_024;
/// Entries read at once.
const TOGETHER: usize = 32;

/// A ring of entries in the store: nothing has to be listed, and the oldest goes when a new one comes.
#[derive(Clone, Copy)]
struct Ring<'a> {
    /// Empty: of all apps.
    app: &'a str,
    max: u64,
}

impl<'a> Ring<'a> {
    const ALL: Self = Self {
        app: "",
        max: AUDIT_ALL_MAX,
    };

    fn of(app: &'a str) -> Self {
        Self {
            app,
            max: AUDIT_APP_MAX,
        }
    }

    /// Has how many entries there have been, as decimal digits.
    fn head(&self) -> String {
        format!("{}/head", self.app)
    }

    fn slot(&self, n: u64) -> String {
        format!("{}/{:05}", self.app, n % self.max)
    }
}

impl Platform {
    /// Keeps a record of what was done. What was done is not undone if that fails: the log says so then.
    pub(crate) async fn audit(&self, by: &str, action: &str, app: Option<&str>, detail: String) {
        let end = detail.floor_char_boundary(DETAIL_BYTES_MAX);
        let entry = AuditEntry {
            at_ms: now_ms(),
            by: by.to_owned(),
            action: action.to_owned(),
            app: app.map(str::to_owned),
            detail: detail.get(..end).unwrap_or_default().to_owned(),
        };
        tracing::info!(by, action, app, detail = %entry.detail, "audit");
        let mut tries = Tries::default();
        loop {
            let outcome = self.try_audit(&entry).await;
            if tries.again(&outcome).await {
                continue;
            }
            if let Err(error) = outcome {
                tracing::error!(%error, "the audit record lacks what the line before says");
            }
            return;
        }
    }

    async fn try_audit(&self, entry: &AuditEntry) -> Result<(), PlatformError> {
        let encoded = crate::platform::encode(entry)?;
        let mut changes = Vec::with_capacity(4);
        let of_app = entry.app.as_deref().map(Ring::of);
        for ring in of_app.into_iter().chain([Ring::ALL]) {
            let head = self.backplane().get(BUCKET, &ring.head()).await?;
            let n = count(head.as_ref());
            changes.push(Change {
                key: ring.head(),
                value: Some((n + 1).to_string().into()),
                condition: head.map_or(Condition::Absent, |head| Condition::Revision(head.revision)),
            });
            changes.push(Change {
                key: ring.slot(n),
                value: Some(encoded.clone()),
                condition: Condition::Always,
            });
        }
        self.backplane().write(BUCKET, changes).await?;
        Ok(())
    }

    /// The newest first, at most `limit`: of one app, or of all.
    pub async fn audit_entries(
        &self,
        app: Option<&str>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, PlatformError> {
        let ring = app.map_or(Ring::ALL, Ring::of);
        let n = count(self.backplane().get(BUCKET, &ring.head()).await?.as_ref());
        let oldest = n.saturating_sub(ring.max.min(limit as u64));
        let slots = (oldest..n).rev().map(|n| ring.slot(n));
        let found: Vec<Option<AuditEntry>> = stream::iter(slots.map(|slot| async move {
            let value = self.backplane().get(BUCKET, &slot).await?;
            value
                .map(|value| read(&value.bytes, || "an audit entry".to_owned()))
                .transpose()
        }))
        .buffered(TOGETHER)
        .try_collect()
        .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Another app of that name is not to see them.
    pub(crate) async fn purge_audit(&self, app: &str) -> Result<(), PlatformError> {
        let ring = Ring::of(app);
        let head = self.backplane().get(BUCKET, &ring.head()).await?;
        if head.is_none() {
            return Ok(());
        }
        let slots = (0..count(head.as_ref()).min(ring.max)).map(|n| ring.slot(n));
        self.remove_keys(BUCKET, slots.chain([ring.head()]).collect())
            .await
    }
}

fn count(head: Option<&Value>) -> u64 {
    head.and_then(|head| std::str::from_utf8(&head.bytes).ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}
