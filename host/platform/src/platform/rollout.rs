use std::sync::Arc;

use super::{Opened, Platform, now_ms, read};
use crate::{
    PlatformError,
    records::{
        AppRecord, BUCKET, CHANGES, CanaryRecord, Changes, HISTORY_MAX, LiveRecord, LiveVersion,
        VersionRecord,
    },
    tries::Tries,
};

/// What is live once nodes have heard of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// A node whose [`crate::Catalogue::applied`] has reached this has heard of it.
    pub changes: u64,
    pub stable: u32,
    /// The version and its percent.
    pub canary: Option<(u32, u8)>,
}

/// What became of a version that does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It had some sockets; the stable version has them all again.
    CanaryEnded,
    RolledBack {
        to: u32,
    },
    /// It is the first one: there is nothing to go back to, so it stays.
    NothingBefore,
    /// Somebody was faster.
    NotLive,
}

impl Platform {
    /// Gives a version that many of a hundred sockets. 100 makes it the stable one; fewer make it the canary beside
    /// the stable one, in the place of another canary.
    pub async fn set_live(
        &self,
        app: &str,
        version: u32,
        percent: u8,
        by: &str,
    ) -> Result<Told, PlatformError> {
        if !(1..=100).contains(&percent) {
            return Err(PlatformError::invalid(format!(
                "percent is 1 to 100, not {percent}"
            )));
        }
        let mut tries = Tries::default();
        loop {
            let outcome = self.try_set_live(app, version, percent).await;
            if tries.again(&outcome).await {
                continue;
            }
            let told = outcome?;
            self.audit(by, "version.live", Some(app), format!("{version}: {percent} %"))
                .await;
            return Ok(told);
        }
    }

    async fn try_set_live(&self, app: &str, version: u32, percent: u8) -> Result<Told, PlatformError> {
        let before = self.open(app).await?;
        let chosen = self.live_version(app, &before.record, version).await?;
        let mut record = before.record.clone();
        record.live = Some(match record.live.take() {
            None if percent < 100 => {
                return Err(PlatformError::invalid(
                    "nothing is live yet: the first version takes all sockets (percent 100)",
                ));
            }
            None => LiveRecord {
                stable: chosen,
                canary: None,
                history: Vec::new(),
            },
            Some(live) if percent == 100 => live.replaced(chosen),
            Some(live) if live.stable.version == version => {
                return Err(PlatformError::invalid(format!(
                    "version {version} is the stable one: it cannot have some sockets only"
                )));
            }
            Some(live) => LiveRecord {
                canary: Some(CanaryRecord {
                    live: chosen,
                    percent,
                }),
                ..live
            },
        });
        record.set_failed(version, None);
        self.tell_live(app, &before, &record).await
    }

    /// Goes back. Without a version: ends the canary if there is one, else makes stable what was so before.
    pub async fn rollback(&self, app: &str, version: Option<u32>, by: &str) -> Result<Told, PlatformError> {
        let mut tries = Tries::default();
        loop {
            let outcome = self.try_rollback(app, version).await;
            if tries.again(&outcome).await {
                continue;
            }
            let told = outcome?;
            self.audit(by, "version.rollback", Some(app), format!("to {}", told.stable))
                .await;
            return Ok(told);
        }
    }

    async fn try_rollback(&self, app: &str, version: Option<u32>) -> Result<Told, PlatformError> {
        let before = self.open(app).await?;
        let nothing = || PlatformError::invalid(format!("app {app:?} has nothing to go back to"));
        let Some(live) = before.record.live.clone() else {
            return Err(nothing());
        };
        let mut record = before.record.clone();
        let back = match (version, &live.canary) {
            (Some(version), _) => version,
            (None, Some(_)) => live.stable.version,
            (None, None) => record.before(&live).ok_or_else(nothing)?,
        };
        let chosen = self.live_version(app, &record, back).await?;
        record.live = Some(live.back(chosen));
        record.set_failed(back, None);
        self.tell_live(app, &before, &record).await
    }

    /// A version does not work (its first calls trapped, or a node cannot run it): takes it back by itself, and keeps
    /// the reason beside it.
    pub async fn mark_failed(
        &self,
        app: &str,
        version: u32,
        reason: &str,
        by: &str,
    ) -> Result<Failure, PlatformError> {
        let reason = shortened(reason);
        let mut tries = Tries::default();
        loop {
            let outcome = self.try_mark_failed(app, version, &reason).await;
            if tries.again(&outcome).await {
                continue;
            }
            let failure = outcome?;
            if failure != Failure::NotLive {
                self.audit(
                    by,
                    "version.failed",
                    Some(app),
                    format!("{version}: {failure:?}: {reason}"),
                )
                .await;
            }
            return Ok(failure);
        }
    }

    async fn try_mark_failed(&self, app: &str, version: u32, reason: &str) -> Result<Failure, PlatformError> {
        let before = self.open(app).await?;
        let Some(live) = before.record.live.clone() else {
            return Ok(Failure::NotLive);
        };
        let mut record = before.record.clone();
        record.set_failed(version, Some(reason));
        let is_canary = live
            .canary
            .as_ref()
            .is_some_and(|canary| canary.live.version == version);
        let failure = if is_canary {
            record.live = Some(LiveRecord { canary: None, ..live });
            Failure::CanaryEnded
        } else if live.stable.version != version {
            return Ok(Failure::NotLive);
        } else if let Some(to) = record.before(&live) {
            let chosen = self.live_version(app, &record, to).await?;
            let canary = live.canary.clone();
            record.live = Some(LiveRecord {
                // The canary is not what failed, unless it is what is stable now.
                canary: canary.filter(|canary| canary.live.version != to),
                ..live.back(chosen)
            });
            Failure::RolledBack { to }
        } else {
            Failure::NothingBefore
        };
        self.edit(
            app,
            Some(&before),
            &record,
            &[],
            failure != Failure::NothingBefore,
        )
        .await?;
        Ok(failure)
    }

    async fn tell_live(&self, app: &str, before: &Opened, record: &AppRecord) -> Result<Told, PlatformError> {
        let changes = if before.record.is_live_as(record) {
            self.changes().await?.n
        } else {
            self.edit(app, Some(before), record, &[], true).await?
        };
        let live = record.live.as_ref();
        Ok(Told {
            changes,
            stable: live.map_or(0, |live| live.stable.version),
            canary: live
                .and_then(|live| live.canary.as_ref())
                .map(|canary| (canary.live.version, canary.percent)),
        })
    }

    async fn changes(&self) -> Result<Changes, PlatformError> {
        match self.backplane().get(BUCKET, CHANGES).await? {
            Some(value) => read(&value.bytes, || "changes".to_owned()),
            None => Ok(Changes::default()),
        }
    }

    /// With the manifest's text, which a version that is not live has in a blob.
    async fn live_version(
        &self,
        app: &str,
        record: &AppRecord,
        version: u32,
    ) -> Result<LiveVersion, PlatformError> {
        let found = record.version(version).ok_or_else(|| PlatformError::NoVersion {
            app: app.to_owned(),
            version,
            hint: if version <= record.last_version && version > 0 {
                ": it is no longer kept"
            } else {
                ""
            },
        })?;
        let manifest = self.manifest_of(found).await?;
        Ok(LiveVersion {
            version,
            since_ms: now_ms(),
            manifest,
        })
    }

    async fn manifest_of(&self, version: &VersionRecord) -> Result<Arc<str>, PlatformError> {
        let damaged = |reason: &str| PlatformError::Damaged {
            what: format!("version {}", version.version),
            reason: reason.to_owned(),
        };
        let blob = self.backplane().get_blob(&version.manifest.to_string()).await?;
        let blob = blob.ok_or_else(|| damaged("its manifest is gone"))?;
        let text = std::str::from_utf8(&blob).map_err(|_| damaged("its manifest is no text"))?;
        Ok(text.into())
    }
}

/// Bytes of a reason that are kept: the start of a backtrace says most.
const REASON_BYTES_MAX: usize = 4096;

fn shortened(reason: &str) -> String {
    let end = reason.floor_char_boundary(REASON_BYTES_MAX);
    reason.get(..end).unwrap_or_default().to_owned()
}

impl LiveRecord {
    fn replaced(mut self, by: LiveVersion) -> Self {
        if self.stable.version != by.version {
            self.history.retain(|version| *version != by.version);
            self.history.push(self.stable.version);
            let over = self.history.len().saturating_sub(HISTORY_MAX);
            self.history.drain(..over);
        }
        Self {
            stable: by,
            canary: None,
            history: self.history,
        }
    }

    /// What was stable after `to` is no longer gone back to.
    fn back(mut self, to: LiveVersion) -> Self {
        let Some(at) = self.history.iter().position(|version| *version == to.version) else {
            return self.replaced(to);
        };
        self.history.truncate(at);
        Self {
            stable: to,
            canary: None,
            history: self.history,
        }
    }
}

impl AppRecord {
    /// What was stable last, is still there and has not failed.
    fn before(&self, live: &LiveRecord) -> Option<u32> {
        let works = |version: &&u32| {
            self.version(**version)
                .is_some_and(|found| found.failed.is_none())
        };
        live.history.iter().rev().find(works).copied()
    }

    fn set_failed(&mut self, version: u32, reason: Option<&str>) {
        if let Some(found) = self.versions.iter_mut().find(|found| found.version == version) {
            found.failed = reason.map(str::to_owned);
        }
    }

    fn is_live_as(&self, other: &Self) -> bool {
        let shape = |record: &Self| {
            record.live.as_ref().map(|live| {
                let canary = live.canary.as_ref();
                (
                    live.stable.version,
                    canary.map(|canary| (canary.live.version, canary.percent)),
                )
            })
        };
        shape(self) == shape(other)
    }
}
