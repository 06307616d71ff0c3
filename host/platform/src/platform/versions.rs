use bytes::Bytes;

use super::{Platform, now_ms};
use crate::{
    Digest, Draft, PlatformError,
    records::{AppRecord, VERSIONS_MAX, VersionRecord},
    tries::Tries,
};

/// A version that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    pub version: u32,
    pub component: Digest,
    /// There was a version of the same component, manifest and files: it is that one.
    pub existing: bool,
}

/// A version as its author sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionInfo {
    pub version: u32,
    pub component: Digest,
    pub assets: Option<Digest>,
    pub size_bytes: u64,
    pub created_at_ms: u64,
    pub by: String,
    /// How many of a hundred sockets get it; `None`: it is not live.
    pub percent: Option<u8>,
    /// Why it was taken back by itself.
    pub failed: Option<String>,
}

impl Platform {
    /// Stores a version that has been checked together with this draft. It gets no socket before
    /// [`Self::set_live`]. The oldest versions that nobody needs go, beyond 50.
    pub async fn add_version(
        &self,
        app: &str,
        draft: &Draft,
        component: Bytes,
        by: &str,
    ) -> Result<Added, PlatformError> {
        let manifest = Bytes::copy_from_slice(draft.manifest.as_bytes());
        let wanted = VersionRecord {
            version: 0,
            component: Digest::of(&component),
            size_bytes: component.len() as u64,
            manifest: Digest::of(&manifest),
            assets: draft.assets,
            created_at_ms: now_ms(),
            by: by.to_owned(),
            failed: None,
        };
        let blobs = [component, manifest];
        let mut tries = Tries::default();
        loop {
            let outcome = self.try_add_version(app, &wanted, &blobs).await;
            if tries.again(&outcome).await {
                continue;
            }
            let added = outcome?;
            if !added.existing {
                let detail = format!("{}: {}", added.version, added.component);
                self.audit(by, "version.add", Some(app), detail).await;
            }
            return Ok(added);
        }
    }

    async fn try_add_version(
        &self,
        app: &str,
        wanted: &VersionRecord,
        blobs: &[Bytes],
    ) -> Result<Added, PlatformError> {
        let before = self.open(app).await?;
        let same = before.record.versions.iter().find(|version| {
            (version.component, version.manifest, version.assets)
                == (wanted.component, wanted.manifest, wanted.assets)
        });
        if let Some(same) = same {
            return Ok(Added {
                version: same.version,
                component: same.component,
                existing: true,
            });
        }
        // Files are not uploaded again here: they are there for as long as the app has a use for them.
        if wanted
            .assets
            .is_some_and(|assets| !before.record.blobs().contains(&assets))
        {
            return Err(PlatformError::invalid(
                "the files were replaced while the component was checked: upload it again",
            ));
        }
        let mut record = before.record.clone();
        record.last_version += 1;
        let version = record.last_version;
        record.versions.push(VersionRecord {
            version,
            ..wanted.clone()
        });
        record.forget_old();
        self.edit(app, Some(&before), &record, blobs, false).await?;
        Ok(Added {
            version,
            component: wanted.component,
            existing: false,
        })
    }

    /// The newest first.
    pub async fn versions(&self, app: &str) -> Result<Vec<VersionInfo>, PlatformError> {
        let record = self.open(app).await?.record;
        let info = |version: &VersionRecord| VersionInfo {
            version: version.version,
            component: version.component,
            assets: version.assets,
            size_bytes: version.size_bytes,
            created_at_ms: version.created_at_ms,
            by: version.by.clone(),
            percent: record.percent(version.version),
            failed: version.failed.clone(),
        };
        Ok(record.versions.iter().rev().map(info).collect())
    }
}

impl AppRecord {
    fn percent(&self, version: u32) -> Option<u8> {
        let live = self.live.as_ref()?;
        let canary = live.canary.as_ref();
        if let Some(canary) = canary.filter(|canary| canary.live.version == version) {
            return Some(canary.percent);
        }
        (live.stable.version == version).then(|| 100 - canary.map_or(0, |canary| canary.percent))
    }

    fn forget_old(&mut self) {
        while self.versions.len() > VERSIONS_MAX {
            // The last one is new; the live ones and their history are fewer than fifty.
            let old = self
                .versions
                .iter()
                .position(|version| !self.is_needed(version.version));
            let Some(old) = old.filter(|old| old + 1 < self.versions.len()) else {
                return;
            };
            self.versions.remove(old);
        }
    }
}
