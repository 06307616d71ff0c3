//! What a process before this one left in the data directory.
use std::{rc::Rc, sync::Arc};

use backplane::{Change, Condition, Error};
use router::{DisconnectReason, Epoch};

use crate::{
    AppEntry, Hub,
    record::{Record, bucket},
    recover::{Claimed, install},
    socket::Phase,
};

/// Records listed at once.
const PAGE_RECORDS: usize = 512;

impl Hub {
    /// Takes in the sockets that an earlier process left in the data directory: away, their window begun anew. Each core
    /// takes its share, by id.
    pub(crate) async fn restore(&self, app: &Rc<AppEntry>, epoch: Epoch) -> Result<(), Error> {
        let (bucket, shards) = (bucket(&app.name), self.0.shards.count());
        let mut after: Option<String> = None;
        loop {
            let keys = self
                .0
                .backplane
                .keys(&bucket, "", after.as_deref(), PAGE_RECORDS)
                .await?;
            let Some(last) = keys.last().cloned() else {
                return Ok(());
            };
            for id in keys
                .iter()
                .filter(|id| share(id, shards) == usize::from(self.0.home.shard))
            {
                let Some(value) = self.0.backplane.get(&bucket, id).await? else {
                    continue;
                };
                let Some(mut record) = Record::decode(&value.bytes) else {
                    continue;
                };
                if record.home.incarnation == self.0.home.incarnation {
                    continue;
                }
                record.home = self.0.home;
                let condition = Condition::Revision(value.revision);
                let change = Change {
                    key: id.clone(),
                    value: Some(record.encode()),
                    condition,
                };
                // A conflict is a client that came back first.
                let Ok(revisions) = self.0.backplane.write(&bucket, vec![change]).await else {
                    continue;
                };
                let Some(revision) = revisions.first().copied() else {
                    continue;
                };
                self.with(|state, now| {
                    let Some(recovery) = app.settings.recovery else {
                        return;
                    };
                    let log_lost = record.progress.epoch != epoch;
                    let id: Arc<str> = id.as_str().into();
                    let reason = DisconnectReason::TransportError;
                    let phase = Phase::Away {
                        until: now + recovery.window,
                        reason,
                    };
                    let key = install(state, app, &id, Claimed { record, revision }, phase);
                    if log_lost {
                        state.farewell(key, DisconnectReason::RecoveryExpired);
                    } else {
                        state.put_away(key, now + recovery.window, reason);
                    }
                });
            }
            after = Some(last);
        }
    }

    /// Removes the record of a socket that is gone for good.
    pub(crate) async fn forget(self, app: Arc<str>, id: Arc<str>, revision: u64) {
        let change = Change {
            key: id.to_string(),
            value: None,
            condition: Condition::Revision(revision),
        };
        match self.0.backplane.write(&bucket(&app), vec![change]).await {
            // A conflict is a new home's record: not ours to remove.
            Ok(_) | Err(Error::Conflict { .. }) => {}
            Err(error) => tracing::warn!(%app, %error, "a socket's record was not removed"),
        }
    }
}

/// Which core takes in a socket that has no home.
fn share(id: &str, shards: usize) -> usize {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        // FNV-1a: any even spread will do.
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % shards as u64) as usize
}
