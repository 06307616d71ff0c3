use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Opened, Platform, edit::Edit, now_ms};
use crate::{
    Digest, Draft, Manifest, PlatformError,
    bundle::Bundle,
    check_app_name,
    records::{APP_PREFIX, AppRecord, BUCKET},
    tries::Tries,
};

/// An app as operators and its author see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppInfo {
    pub name: String,
    pub created_at_ms: u64,
    /// `None`: nothing runs.
    pub live: Option<LiveInfo>,
    pub versions: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveInfo {
    pub version: u32,
    pub component: Digest,
    /// Version, component, and how many of a hundred sockets get it.
    pub canary: Option<(u32, Digest, u8)>,
}

/// Bytes of a manifest that is uploaded.
pub const MANIFEST_BYTES_MAX: usize = 64 * 1024;
/// Records read at once.
const TOGETHER: usize = 32;

impl Platform {
    /// Makes the app if there is none (answers true), else gives its next version another manifest. The text's `name`
    /// must be the app's, or absent.
    pub async fn put_manifest(&self, app: &str, manifest: &str, by: &str) -> Result<bool, PlatformError> {
        self.check_manifest(app, manifest)?;
        let mut tries = Tries::default();
        loop {
            let outcome = self.try_put_manifest(app, manifest).await;
            if tries.again(&outcome).await {
                continue;
            }
            let created = outcome?;
            let action = if created { "app.create" } else { "app.manifest" };
            self.audit(by, action, Some(app), Digest::of(manifest.as_bytes()).to_string())
                .await;
            return Ok(created);
        }
    }

    /// Holds a manifest to the bounds and ceilings, and to the app's name.
    pub fn check_manifest(&self, app: &str, manifest: &str) -> Result<Manifest, PlatformError> {
        check_app_name(app)
            .map_err(|expected| PlatformError::invalid(format!("expected {expected}, found {app:?}")))?;
        if manifest.len() > MANIFEST_BYTES_MAX {
            return Err(PlatformError::invalid(format!(
                "a manifest has at most {MANIFEST_BYTES_MAX} bytes, not {}",
                manifest.len()
            )));
        }
        let read = Manifest::parse(manifest, crate::MANIFEST_FILE, app, &self.0.ceilings)
            .map_err(PlatformError::Manifest)?;
        if read.name == app {
            return Ok(read);
        }
        Err(PlatformError::invalid(format!(
            "the manifest's name is {:?}, but the app is {app:?}: make them equal, or leave `name` out",
            read.name
        )))
    }

    async fn try_put_manifest(&self, app: &str, manifest: &str) -> Result<bool, PlatformError> {
        let before = self.find(app).await?;
        let Some(opened) = &before else {
            // Whoever had the name before left nothing that the new owner could see.
            self.purge(app).await?;
            let record = AppRecord::new(manifest);
            self.edit(app, None, &record, &[], false).await?;
            return Ok(true);
        };
        if &*opened.record.draft.manifest != manifest {
            let mut record = opened.record.clone();
            record.draft.manifest = manifest.into();
            self.edit(app, before.as_ref(), &record, &[], false).await?;
        }
        Ok(false)
    }

    /// Gives the app's next version these files; see [`crate::read_bundle`].
    pub async fn put_assets(&self, app: &str, bundle: &Bundle, by: &str) -> Result<(), PlatformError> {
        self.take_assets(app, Some(bundle.digest), std::slice::from_ref(&bundle.tar))
            .await?;
        self.audit(by, "app.assets", Some(app), bundle.digest.to_string())
            .await;
        Ok(())
    }

    /// The app's next version has no files.
    pub async fn remove_assets(&self, app: &str, by: &str) -> Result<(), PlatformError> {
        self.take_assets(app, None, &[]).await?;
        self.audit(by, "app.assets", Some(app), "none".to_owned()).await;
        Ok(())
    }

    async fn take_assets(
        &self,
        app: &str,
        assets: Option<Digest>,
        blobs: &[Bytes],
    ) -> Result<(), PlatformError> {
        let mut tries = Tries::default();
        loop {
            let outcome = self.try_take_assets(app, assets, blobs).await;
            if !tries.again(&outcome).await {
                return outcome;
            }
        }
    }

    async fn try_take_assets(
        &self,
        app: &str,
        assets: Option<Digest>,
        blobs: &[Bytes],
    ) -> Result<(), PlatformError> {
        let before = self.open(app).await?;
        let mut record = before.record.clone();
        record.draft.assets = assets;
        self.edit(app, Some(&before), &record, blobs, false).await?;
        Ok(())
    }

    /// What the app's next version takes beside its component.
    pub async fn draft(&self, app: &str) -> Result<Draft, PlatformError> {
        Ok(self.open(app).await?.record.draft)
    }

    pub async fn app(&self, app: &str) -> Result<AppInfo, PlatformError> {
        let opened = self.open(app).await?;
        Ok(AppInfo::of(app, &opened.record))
    }

    /// Apps in the order of their names, those after `after`, at most `limit`.
    pub async fn apps(&self, after: Option<&str>, limit: usize) -> Result<Vec<AppInfo>, PlatformError> {
        let after = after.map(|after| format!("{APP_PREFIX}{after}"));
        let keys = self
            .backplane()
            .keys(BUCKET, APP_PREFIX, after.as_deref(), limit)
            .await?;
        let found: Vec<_> = stream::iter(keys.into_iter().map(|key| async move {
            let name = key.strip_prefix(APP_PREFIX).unwrap_or_default();
            let found = self.find(name).await?;
            // Deleted since it was listed.
            Ok::<_, PlatformError>(found.map(|opened| AppInfo::of(name, &opened.record)))
        }))
        .buffered(TOGETHER)
        .try_collect()
        .await?;
        Ok(found.into_iter().flatten().collect())
    }

    pub(crate) async fn edit(
        &self,
        app: &str,
        before: Option<&Opened>,
        after: &AppRecord,
        blobs: &[Bytes],
        told: bool,
    ) -> Result<u64, PlatformError> {
        let edit = Edit {
            app,
            before,
            after: Some(after),
            blobs,
            told,
        };
        self.apply(edit).await
    }
}

impl AppInfo {
    fn of(name: &str, record: &AppRecord) -> Self {
        let component = |version| record.version(version).map(|version| version.component);
        let live = record.live.as_ref().and_then(|live| {
            let canary = live.canary.as_ref().and_then(|canary| {
                let version = canary.live.version;
                Some((version, component(version)?, canary.percent))
            });
            Some(LiveInfo {
                version: live.stable.version,
                component: component(live.stable.version)?,
                canary,
            })
        });
        Self {
            name: name.to_owned(),
            created_at_ms: record.created_at_ms,
            live,
            versions: record.versions.len(),
        }
    }
}

impl AppRecord {
    fn new(manifest: &str) -> Self {
        Self {
            created_at_ms: now_ms(),
            draft: Draft {
                manifest: Arc::from(manifest),
                assets: None,
            },
            versions: Vec::new(),
            last_version: 0,
            live: None,
            secrets: std::collections::BTreeMap::new(),
            secrets_changes: 0,
        }
    }
}
