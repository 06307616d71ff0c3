//! Renewing the own lease and looking at the others'.
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use backplane::{Change, Condition, Error};
use tokio::time::{Instant, sleep};

use super::{BUCKET, LEASE, Node, Nodes, RENEWAL, Seen, key};

impl Nodes {
    /// Keeps the lease and the view of the others, for as long as the future is polled. `lapsed` is called when others
    /// may have taken this node for dead.
    pub async fn keep(self, mut lapsed: impl FnMut()) {
        let Some(cluster) = &self.0.cluster else { return };
        let mut renewed = Instant::now();
        loop {
            sleep(RENEWAL).await;
            match self.round().await {
                Ok(()) => {
                    // Two rounds less than what others wait: rather one check too many than one too few.
                    if cluster.lapsed.swap(false, Ordering::AcqRel) || renewed.elapsed() + 2 * RENEWAL > LEASE
                    {
                        tracing::warn!(away = ?renewed.elapsed(), "this node may have been taken for dead: it looks after its sockets");
                        lapsed();
                    }
                    renewed = Instant::now();
                }
                Err(error) => {
                    if cluster.ready.swap(false, Ordering::AcqRel) {
                        tracing::warn!(%error, "this node is cut off from the others; it keeps its connections and tries again");
                    }
                }
            }
        }
    }

    /// Renews the lease now (its revision is the sign of life): what [`Nodes::update`] changed is seen by others within [`RENEWAL`].
    pub async fn renew(&self) -> Result<(), Error> {
        let Some(cluster) = &self.0.cluster else {
            return Ok(());
        };
        let value = serde_json::to_vec(&self.own()).unwrap_or_default();
        let last = *cluster.lease.lock();
        let mut change = Change {
            key: key(self.0.incarnation),
            value: Some(value.into()),
            condition: last.map_or(Condition::Always, Condition::Revision),
        };
        let written = match cluster.backplane.write(BUCKET, vec![change.clone()]).await {
            Err(Error::Conflict { .. }) => {
                cluster.lapsed.store(true, Ordering::Release);
                change.condition = Condition::Always;
                cluster.backplane.write(BUCKET, vec![change]).await?
            }
            written => written?,
        };
        *cluster.lease.lock() = written.first().copied();
        Ok(())
    }

    /// One renewal and one look.
    pub(super) async fn round(&self) -> Result<(), Error> {
        let Some(cluster) = &self.0.cluster else {
            return Ok(());
        };
        self.renew().await?;
        let keys = cluster.backplane.keys(BUCKET, "", None, NODES_MAX).await?;
        let mut leases = Vec::with_capacity(keys.len());
        for name in keys.iter().filter(|name| **name != key(self.0.incarnation)) {
            let Some(value) = cluster.backplane.get(BUCKET, name).await? else {
                continue;
            };
            if let Ok(node) = serde_json::from_slice::<Node>(&value.bytes) {
                leases.push((node, value.revision));
            }
        }
        let dead = self.compare(leases);
        for (incarnation, revision) in dead {
            // Whoever sees it first; a conflict is another that did, or the node itself, back to life.
            let change = Change {
                key: key(incarnation),
                value: None,
                condition: Condition::Revision(revision),
            };
            match cluster.backplane.write(BUCKET, vec![change]).await {
                Ok(_) | Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        cluster.ready.store(true, Ordering::Release);
        Ok(())
    }

    /// Takes in what was read; answers the leases that have run out.
    fn compare(&self, leases: Vec<(Node, u64)>) -> Vec<(u64, u64)> {
        let Some(cluster) = &self.0.cluster else {
            return Vec::new();
        };
        let now = Instant::now();
        let mut view = cluster.view.lock();
        // Who could not look cannot say that nothing changed meanwhile.
        let blind = now.duration_since(view.looked) > 2 * RENEWAL;
        view.looked = now;
        let mut changed = false;
        let mut deaths = u64::from(blind);
        let (mut dead, mut others, mut gone) = (Vec::new(), HashMap::new(), HashMap::new());
        for (node, revision) in leases {
            if node.gone {
                let known = view.gone.get(&node.incarnation).copied();
                deaths += u64::from(known.is_none());
                let since = known.unwrap_or(now);
                gone.insert(node.incarnation, since);
                // By then every node has seen it, or was blind for longer.
                if now.duration_since(since) > LEASE {
                    dead.push((node.incarnation, revision));
                }
                continue;
            }
            let (incarnation, known) = (node.incarnation, view.others.remove(&node.incarnation));
            changed |= known.as_ref().is_none_or(|known| *known.node != node);
            let since = match &known {
                Some(known) if known.revision == revision && !blind => known.since,
                _ => now,
            };
            if now.duration_since(since) > LEASE {
                tracing::warn!(node = %node.name, "node is dead: its lease has run out");
                (changed, deaths) = (true, deaths + 1);
                dead.push((incarnation, revision));
                continue;
            }
            let node = Arc::new(node);
            others.insert(
                incarnation,
                Seen {
                    node,
                    revision,
                    since,
                },
            );
        }
        for gone in view.others.values() {
            tracing::info!(node = %gone.node.name, "node has left");
            (changed, deaths) = (true, deaths + 1);
        }
        (view.others, view.gone) = (others, gone);
        drop(view);
        cluster.deaths.fetch_add(deaths, Ordering::Release);
        if changed || deaths > 0 {
            cluster.changes.send_modify(|count| *count += 1);
        }
        dead
    }
}

/// Nodes of one cluster.
const NODES_MAX: usize = 1000;
