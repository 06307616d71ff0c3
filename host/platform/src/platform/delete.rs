use std::time::Duration;

use backplane::{Change, Condition, Window};

use super::{Platform, edit::Edit};
use crate::{PlatformError, tries::Tries};

/// The bucket of an app's key-value store and timers.
pub fn data_bucket(app: &str) -> String {
    format!("data:{app}")
}

/// Where sessions keep what is stored of an app's sockets.
fn sessions_bucket(app: &str) -> String {
    format!("sessions:{app}")
}

/// A log that keeps no entry.
const NOTHING: Window = Window {
    age: Duration::ZERO,
    packets_max: 0,
    bytes_max: 0,
};

/// Keys deleted in one write.
const TOGETHER: usize = 500;

impl Platform {
    /// Removes the app and all that is stored for it. Nodes end its sockets when they hear of it, which
    /// [`crate::Catalogue::applied`] tells: the answer is how far that has to come.
    pub async fn delete(&self, app: &str, by: &str) -> Result<u64, PlatformError> {
        let mut tries = Tries::default();
        loop {
            let outcome = self.try_delete(app).await;
            if tries.again(&outcome).await {
                continue;
            }
            let changes = outcome?;
            self.audit(by, "app.delete", None, app.to_owned()).await;
            // What its handlers wrote to the last. Should it fail: whoever makes an app of that name purges, too.
            if self.find(app).await?.is_none() {
                self.purge(app).await?;
            }
            return Ok(changes);
        }
    }

    async fn try_delete(&self, app: &str) -> Result<u64, PlatformError> {
        let before = self.open(app).await?;
        self.purge(app).await?;
        let edit = Edit {
            app,
            before: Some(&before),
            after: None,
            blobs: &[],
            told: true,
        };
        let changes = self.apply(edit).await?;
        // Names have gone with the record: what is left behind should this fail cannot be opened by another app.
        self.purge_secrets(app, before.record.secrets.keys()).await?;
        Ok(changes)
    }

    /// Removes what is stored for an app beside its record.
    pub(super) async fn purge(&self, app: &str) -> Result<(), PlatformError> {
        self.purge_tokens(app).await?;
        self.purge_bucket(&data_bucket(app)).await?;
        self.purge_bucket(&sessions_bucket(app)).await?;
        self.backplane().retain(app, NOTHING).await?;
        self.purge_audit(app).await
    }

    async fn purge_bucket(&self, bucket: &str) -> Result<(), PlatformError> {
        loop {
            let keys = self.backplane().keys(bucket, "", None, TOGETHER).await?;
            if keys.is_empty() {
                return Ok(());
            }
            self.remove_keys(bucket, keys).await?;
        }
    }

    pub(crate) async fn remove_keys(&self, bucket: &str, keys: Vec<String>) -> Result<(), PlatformError> {
        let gone = |key| Change {
            key,
            value: None,
            condition: Condition::Always,
        };
        for keys in keys.chunks(TOGETHER) {
            let changes = keys.iter().cloned().map(gone).collect();
            self.backplane().write(bucket, changes).await?;
        }
        Ok(())
    }
}
