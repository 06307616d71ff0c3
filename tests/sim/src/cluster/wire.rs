//! What nodes ask each other, over roads that take time, lose answers and may be blocked.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use session::{Node, Unreachable, Wire};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

use super::host::Ask;
use crate::Random;

/// An answer that takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(5);

/// All nodes' listeners, and which ways between them are blocked.
#[derive(Clone)]
pub(crate) struct Roads(Arc<Mutex<Inner>>);

struct Inner {
    random: Random,
    /// `None`: the machine is gone, and says nothing. A process that ended is not here: its port refuses.
    listeners: BTreeMap<u64, Option<mpsc::UnboundedSender<Ask>>>,
    blocked: BTreeSet<u64>,
    delay_max_ms: usize,
    lost: u64,
}

/// One node's way to the others.
pub(crate) struct Road {
    pub(crate) own: u64,
    pub(crate) roads: Roads,
}

impl Roads {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            random: Random::new(seed),
            listeners: BTreeMap::new(),
            blocked: BTreeSet::new(),
            delay_max_ms: 3,
            lost: 0,
        })))
    }

    pub(crate) fn open(&self, node: u64, listener: mpsc::UnboundedSender<Ask>) {
        self.0.lock().listeners.insert(node, Some(listener));
    }

    /// A process ends (its port refuses) or its machine does (nobody answers).
    pub(crate) fn close(&self, node: u64, silently: bool) {
        let mut inner = self.0.lock();
        if silently {
            inner.listeners.insert(node, None);
        } else {
            inner.listeners.remove(&node);
        }
    }

    pub(crate) fn block(&self, node: u64, blocked: bool) {
        let mut inner = self.0.lock();
        if blocked {
            inner.blocked.insert(node);
        } else {
            inner.blocked.remove(&node);
        }
    }

    pub(crate) fn set_quality(&self, delay_max_ms: usize, lost: u64) {
        let mut inner = self.0.lock();
        (inner.delay_max_ms, inner.lost) = (delay_max_ms, lost);
    }

    fn delay(&self) -> Duration {
        let mut inner = self.0.lock();
        let max = inner.delay_max_ms;
        Duration::from_millis(inner.random.below(max + 1) as u64)
    }

    fn is_lost(&self, one: u64, other: u64) -> bool {
        let mut inner = self.0.lock();
        let lost = inner.lost;
        inner.random.chance(lost) || inner.blocked.contains(&one) || inner.blocked.contains(&other)
    }

    async fn bring(&self, from: u64, to: u64, question: Bytes) -> Result<Bytes, &'static str> {
        sleep(self.delay()).await;
        if self.is_lost(from, to) {
            return std::future::pending().await;
        }
        let listener = self.0.lock().listeners.get(&to).cloned();
        let listener = match listener {
            None => return Err("connection refused"),
            Some(None) => return std::future::pending().await,
            Some(Some(listener)) => listener,
        };
        let (send, answer) = oneshot::channel();
        listener
            .send(Ask::Wire(question, send))
            .map_err(|_| "connection refused")?;
        let answer = answer.await.map_err(|_| "connection reset")?;
        sleep(self.delay()).await;
        if self.is_lost(from, to) {
            return std::future::pending().await;
        }
        Ok(answer)
    }
}

impl Wire for Road {
    fn ask(&self, node: Arc<Node>, question: Bytes) -> BoxFuture<'static, Result<Bytes, Unreachable>> {
        let (own, roads) = (self.own, self.roads.clone());
        Box::pin(async move {
            let answer = timeout(PATIENCE, roads.bring(own, node.incarnation, question)).await;
            answer
                .unwrap_or(Err("no answer in time"))
                .map_err(|reason| Unreachable {
                    node: node.name.clone(),
                    reason: reason.into(),
                })
        })
    }
}
