use std::sync::Arc;

use crate::records::{AppRecord, LiveVersion};

/// An app that runs: what a node has to know of it before anybody speaks. Thousands of them lie in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: Arc<str>,
    pub stable: Live,
    /// Boxed: few have one, and the entries of all apps lie in memory.
    pub canary: Option<Box<Canary>>,
    /// Goes up with each secret that was set or removed: whoever has read them reads them again.
    pub secrets: u64,
}

/// One version of an app that is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    pub version: u32,
    /// Milliseconds since 1970 when it was made live, or given another percent, last: by the clock of the node that was
    /// told.
    pub since_ms: u64,
    /// SHA-256 of the component, which is a blob.
    pub component: [u8; 32],
    /// SHA-256 of the bundle of files, which is a blob: see [`crate::unpack_assets`].
    pub assets: Option<[u8; 32]>,
    /// TOML, checked when it was uploaded. Apps with the same text share it.
    pub manifest: Arc<str>,
}

/// A version that gets some of the app's sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    pub live: Live,
    /// 1 to 99.
    pub percent: u8,
}

impl Entry {
    /// `None`: nothing of the app is live. `shared` answers the one copy of a text that all entries share.
    pub(crate) fn of(
        name: Arc<str>,
        record: &AppRecord,
        mut shared: impl FnMut(&Arc<str>) -> Arc<str>,
    ) -> Option<Self> {
        let live = record.live.as_ref()?;
        let mut one = |version: &LiveVersion| {
            let digests = record.version(version.version)?;
            Some(Live {
                version: version.version,
                since_ms: version.since_ms,
                component: digests.component.0,
                assets: digests.assets.map(|digest| digest.0),
                manifest: shared(&version.manifest),
            })
        };
        let stable = one(&live.stable)?;
        let canary = live.canary.as_ref().and_then(|canary| {
            let percent = canary.percent;
            Some(Box::new(Canary {
                live: one(&canary.live)?,
                percent,
            }))
        });
        Some(Self {
            name,
            stable,
            canary,
            secrets: record.secrets_changes,
        })
    }
}
