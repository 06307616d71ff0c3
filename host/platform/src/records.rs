//! What is kept of an app, in one record, so that a change of it is all or nothing and one reading has everything.
//! Fields may be added, never renamed: nodes of two ages share the store during an upgrade.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::Digest;

/// Key `app/{name}`. Its size: at most 50 versions of 500 bytes, three manifests of 64 KiB and a hundred names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AppRecord {
    pub(crate) created_at_ms: u64,
    /// What the next version is made of, beside its component.
    pub(crate) draft: Draft,
    /// Oldest first.
    #[serde(default)]
    pub(crate) versions: Vec<VersionRecord>,
    /// Numbers are never given twice.
    #[serde(default)]
    pub(crate) last_version: u32,
    #[serde(default)]
    pub(crate) live: Option<LiveRecord>,
    /// Names of the secrets, and when each was set.
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, u64>,
    #[serde(default)]
    pub(crate) secrets_changes: u64,
}

/// What the app's next version takes beside its component: what was uploaded last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub manifest: Arc<str>,
    pub assets: Option<Digest>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct VersionRecord {
    pub(crate) version: u32,
    pub(crate) component: Digest,
    pub(crate) size_bytes: u64,
    /// A blob: only those of live versions are in the record itself.
    pub(crate) manifest: Digest,
    pub(crate) assets: Option<Digest>,
    pub(crate) created_at_ms: u64,
    pub(crate) by: String,
    /// It was live, and was taken back by itself.
    #[serde(default)]
    pub(crate) failed: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LiveRecord {
    pub(crate) stable: LiveVersion,
    #[serde(default)]
    pub(crate) canary: Option<CanaryRecord>,
    /// What was stable before, the latest last.
    #[serde(default)]
    pub(crate) history: Vec<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LiveVersion {
    pub(crate) version: u32,
    /// When it was made live, or given another percent, last.
    pub(crate) since_ms: u64,
    pub(crate) manifest: Arc<str>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CanaryRecord {
    pub(crate) live: LiveVersion,
    pub(crate) percent: u8,
}

/// Key `changes`: written together with each change that nodes must hear of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Changes {
    pub(crate) n: u64,
    /// Apps of the last changes, the latest last: at most [`RECENT_MAX`].
    pub(crate) recent: Vec<Arc<str>>,
}

/// Key `blob/{digest}`: how many apps have a use for a blob.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct BlobRecord {
    /// 0: somebody is deleting it.
    pub(crate) apps: u32,
    pub(crate) since_ms: u64,
}

pub(crate) const BUCKET: &str = "apps";
pub(crate) const TOPIC: &str = "apps";
pub(crate) const CHANGES: &str = "changes";
pub(crate) const APP_PREFIX: &str = "app/";
pub(crate) const RECENT_MAX: usize = 128;
pub(crate) const VERSIONS_MAX: usize = 50;
pub(crate) const HISTORY_MAX: usize = 10;

pub(crate) fn app_key(app: &str) -> String {
    format!("{APP_PREFIX}{app}")
}

pub(crate) fn blob_key(digest: &Digest) -> String {
    format!("blob/{digest}")
}

impl AppRecord {
    pub(crate) fn version(&self, version: u32) -> Option<&VersionRecord> {
        self.versions.iter().find(|record| record.version == version)
    }

    /// Every blob that the app has a use for.
    pub(crate) fn blobs(&self) -> BTreeSet<Digest> {
        let versions = self.versions.iter();
        let mut blobs: BTreeSet<_> = versions
            .flat_map(|version| [Some(version.component), Some(version.manifest), version.assets])
            .flatten()
            .collect();
        blobs.extend(self.draft.assets);
        blobs
    }

    /// Whether the version is live, was lately, or may become so with a word: such are kept.
    pub(crate) fn is_needed(&self, version: u32) -> bool {
        self.live.as_ref().is_some_and(|live| {
            live.stable.version == version
                || live
                    .canary
                    .as_ref()
                    .is_some_and(|canary| canary.live.version == version)
                || live.history.contains(&version)
        })
    }
}

impl Changes {
    pub(crate) fn add(&mut self, app: &str) {
        self.n += 1;
        self.recent.push(app.into());
        let over = self.recent.len().saturating_sub(RECENT_MAX);
        self.recent.drain(..over);
    }
}
