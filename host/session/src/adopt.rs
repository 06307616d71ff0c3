//! Sockets whose home is gone: left in the data directory by a process before this one, or by a node that died or left.
use std::{rc::Rc, sync::Arc, time::Duration};

use backplane::{Change, Condition, Error};
use futures_util::{StreamExt, stream};
use router::{DisconnectReason, Epoch};
use tokio::time::{Instant, sleep_until};

use crate::{
    AppEntry, Hub, ids,
    line::Log,
    record::{Record, bucket},
    recover::{Claimed, install},
    socket::Phase,
};

/// Records listed at once, and read at once.
const PAGE_RECORDS: usize = 512;
const READS_AT_ONCE: usize = 32;
/// Records of one core that are written anew at once.
const SAVES_AT_ONCE: usize = 32;
/// The backplane has tried for as long itself.
const FORGET_PAUSE: Duration = Duration::from_secs(1);
/// Until what failed is tried again.
const RETRY: Duration = Duration::from_secs(3);
/// By then all nodes agree on who has died.
const SETTLED: Duration = Duration::from_secs(12);
/// At least this long between two looks for what no death explains.
const SWEEP: Duration = Duration::from_mins(5);

impl Hub {
    /// Takes in the sockets that no living node has: away, their window begun anew, so that those that do not come back
    /// are seen to leave. Each node takes its share, and each core of it, by their ids; two that disagree on who lives
    /// are told apart by the records' revisions.
    pub(crate) async fn adopt(&self, app: &Rc<AppEntry>) -> Result<(), Error> {
        let (bucket, shards) = (bucket(&app.name), self.0.shards.count());
        let nodes = self.0.shards.nodes();
        let mut after: Option<String> = None;
        let mut unsettled = Ok(());
        loop {
            let keys = self
                .0
                .backplane
                .keys(&bucket, "", after.as_deref(), PAGE_RECORDS)
                .await?;
            let Some(last) = keys.last().cloned() else {
                return unsettled;
            };
            let mine = keys
                .into_iter()
                .filter(|id| share(id, shards) == usize::from(self.0.home.shard) && nodes.is_chosen(id));
            let mut reads = stream::iter(mine.map(|id| {
                let value = self.0.backplane.get(&bucket, &id);
                async move { (id, value.await) }
            }))
            .buffer_unordered(READS_AT_ONCE);
            while let Some((id, value)) = reads.next().await {
                let Some(value) = value? else { continue };
                if let Some(record) = Record::decode(&value.bytes) {
                    let revision = value.revision;
                    let found = Claimed { record, revision };
                    match self.adopt_one(app, id, found).await {
                        // Its turn comes again; the others' comes first.
                        Err(error @ Error::Conflict { .. }) => unsettled = Err(error),
                        adopted => adopted?,
                    }
                }
            }
            after = Some(last);
        }
    }

    /// Takes one socket in if its home is dead. An error: whether it is cannot be known now.
    async fn adopt_one(&self, app: &Rc<AppEntry>, id: String, found: Claimed) -> Result<(), Error> {
        let nodes = self.0.shards.nodes();
        let Claimed { mut record, revision } = found;
        let home = record.home.incarnation;
        if home == self.0.home.incarnation || nodes.find(home).await?.is_some() {
            return Ok(());
        }
        record.home = self.0.home;
        let change = Change {
            key: id.clone(),
            value: Some(record.encode()),
            condition: Condition::Revision(revision),
        };
        let revisions = match self.0.backplane.write(&bucket(&app.name), vec![change]).await {
            Ok(revisions) => revisions,
            // A client that came back first. Or its home, back to life for a moment, perhaps for a last one.
            Err(Error::Conflict { .. }) => return self.check_housed(app, &id).await,
            Err(error) => {
                tracing::warn!(app = %app.name, socket = %id, %error, "a socket may not have been taken in");
                crate::tasks::spawn_local(self.clone().look_after(app.clone(), id.into()));
                return Ok(());
            }
        };
        if let Some(revision) = revisions.first().copied() {
            let log_lost = self.is_log_lost(&app.name, record.progress.epoch).await;
            self.take_in(app, log_lost, &id, Claimed { record, revision });
        }
        Ok(())
    }

    /// Whether the log that a socket was born in is another by now. This core may be behind, and not have read the first
    /// entry of a log that others know; where that cannot be asked, the next recovery finds out.
    pub(crate) async fn is_log_lost(&self, app: &Arc<str>, epoch: Epoch) -> bool {
        if self.with(|state, _| state.line(app).position().0) == epoch {
            return false;
        }
        let head = self.0.backplane.head(app).await;
        head.is_ok_and(|head| head.epoch != epoch)
    }

    /// An error if a socket's record names a home that is dead: it is to be looked at again.
    async fn check_housed(&self, app: &AppEntry, id: &str) -> Result<(), Error> {
        let value = self.0.backplane.get(&bucket(&app.name), id).await?;
        let Some(record) = value.and_then(|value| Record::decode(&value.bytes)) else {
            return Ok(());
        };
        let home = record.home.incarnation;
        if home == self.0.home.incarnation || self.0.shards.nodes().find(home).await?.is_some() {
            return Ok(());
        }
        Err(Error::Conflict { key: id.to_owned() })
    }

    /// Keeps a socket of ours that has no connection, until its client comes or its window has passed.
    pub(crate) fn take_in(&self, app: &Rc<AppEntry>, log_lost: bool, id: &str, found: Claimed) {
        let Claimed { record, revision } = found;
        self.with(|state, now| {
            let Some(recovery) = app.settings.recovery else {
                return;
            };
            // Whose end a node began to tell may have been told, or not.
            let over = record
                .ending
                .or(log_lost.then_some(DisconnectReason::RecoveryExpired));
            let id: Arc<str> = id.into();
            let reason = DisconnectReason::TransportError;
            let phase = Phase::Away {
                until: (now + recovery.window).into(),
                reason,
            };
            let key = install(state, app, &id, Claimed { record, revision }, phase, now);
            if let Some(reason) = over {
                state.farewell(key, reason);
            } else {
                state.put_away(key, now + recovery.window, reason);
            }
        });
    }

    /// Adopts now and whenever a node is gone, for as long as this core runs.
    pub(crate) async fn keep_adopting(self, app: Rc<AppEntry>) {
        let Some(mut changes) = self.0.shards.nodes().changes() else {
            return;
        };
        let nodes = self.0.shards.nodes();
        let (mut deaths, mut died) = (nodes.deaths(), true);
        loop {
            let pause = match (self.adopt_all(&app).await, died) {
                (true, _) => RETRY,
                // Nodes may have disagreed on who lives, each leaving a socket to the other.
                (false, true) => SETTLED,
                (false, false) => SWEEP.mul_f32(1.0 + f32::from(ids::random::<1>()[0]) / 255.0),
            };
            let due = Instant::now() + pause;
            died = loop {
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    () = sleep_until(due) => break false,
                }
                let before = std::mem::replace(&mut deaths, nodes.deaths());
                if deaths > before {
                    break true;
                }
            };
        }
    }

    /// Answers whether it has to be done again.
    async fn adopt_all(&self, app: &Rc<AppEntry>) -> bool {
        if !self.with(|state, _| matches!(state.line(&app.name).log, Log::Open { .. })) {
            return true;
        }
        let adopted = self.adopt(app).await;
        if let Err(error) = &adopted {
            tracing::warn!(app = %app.name, %error, "a dead node's sockets are not all taken over yet; trying again");
        }
        adopted.is_err()
    }

    /// Other nodes may have taken this one for dead: every socket's record is written anew, and those that are another
    /// node's by now end here. Some at a time: all nodes do it at once where all were cut off, with all they have.
    pub fn reassert(&self) {
        let keys: Vec<_> = self.with(|state, _| {
            let stored = state
                .sockets
                .iter()
                .filter(|(_, socket)| socket.saved.revision.is_some());
            stored.map(|(key, _)| key).collect()
        });
        let hub = self.clone();
        crate::tasks::spawn_local(async move {
            let saves = stream::iter(keys).for_each_concurrent(SAVES_AT_ONCE, |key| hub.save(key));
            saves.await;
        });
    }

    /// Removes the record of a socket that is gone for good, at `revision` or at that of a last save which was under way.
    pub(crate) async fn forget(
        self,
        app: Arc<str>,
        id: Arc<str>,
        mut revision: u64,
        token: Option<(Arc<str>, String)>,
    ) {
        if let Some((token, pid)) = token {
            self.free_token(&app, &token, &pid).await;
        }
        let bucket = bucket(&app);
        loop {
            let change = Change {
                key: id.to_string(),
                value: None,
                condition: Condition::Revision(revision),
            };
            let Err(error) = self.0.backplane.write(&bucket, vec![change]).await else {
                return;
            };
            match (&error, self.0.backplane.get(&bucket, &id).await) {
                (Error::Conflict { .. }, Ok(Some(stored))) if self.is_left(&id, &stored.bytes) => {
                    revision = stored.revision;
                }
                // A new home's record: not ours to remove.
                (Error::Conflict { .. }, Ok(_)) => return,
                _ => {
                    tracing::warn!(%app, socket = %id, %error, "a socket's record is not removed");
                    if !self.0.shards.nodes().is_cluster() {
                        return;
                    }
                    tokio::time::sleep(FORGET_PAUSE).await;
                }
            }
        }
    }

    /// Whether a record names this home, which has no such socket any more.
    fn is_left(&self, id: &Arc<str>, record: &[u8]) -> bool {
        let own = Record::decode(record).is_some_and(|record| record.home == self.0.home);
        own && self.with(|state, _| !state.sockets.values().any(|socket| socket.id == *id))
    }
}

/// Which core takes in a socket that has no home.
fn share(id: &str, shards: usize) -> usize {
    (ids::hash(id.bytes()) % shards as u64) as usize
}
