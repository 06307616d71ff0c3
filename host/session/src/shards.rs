use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::future::{LocalBoxFuture, join_all};
use parking_lot::Mutex;
use router::{Room, Target};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::{AppStats, Hub, Nodes, ids, socket::Phase};

/// Something to be done on a core's own thread.
pub type Work = Box<dyn FnOnce(Hub) -> LocalBoxFuture<'static, ()> + Send>;

/// All cores of this node: reaches a session's home from any thread. Cheap to clone.
#[derive(Clone)]
pub struct Shards {
    /// One a core. Unbounded, because who posts waits for the answer: it is bounded by requests in flight.
    inboxes: Arc<[mpsc::UnboundedSender<Work>]>,
    nodes: Nodes,
    /// How many cores follow an app's log: the others have none of its sockets.
    lines: Arc<Mutex<HashMap<Arc<str>, usize>>>,
    /// Apps of which this process has said that it may have sockets.
    marked: Arc<Mutex<HashSet<Arc<str>>>>,
}

/// One socket, as other code may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketInfo {
    pub id: Arc<str>,
    pub namespace: Arc<str>,
    /// The room named by the id included.
    pub rooms: Vec<Room>,
    pub state: Bytes,
}

/// Some of the sockets that match, in order of their ids; `cursor` is where to go on, `None` on the last page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub sockets: Vec<SocketInfo>,
    pub cursor: Option<String>,
    /// Nodes that did not answer: what they have is missing.
    pub partial: Vec<String>,
}

/// Sockets in a page.
pub(crate) const PAGE_SOCKETS_MAX: usize = 1000;

/// A page of what several cores or nodes have.
pub(crate) fn merge(mut sockets: Vec<SocketInfo>, sockets_max: usize) -> Page {
    sockets.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    let more = sockets.len() > sockets_max;
    sockets.truncate(sockets_max);
    let cursor = sockets.last().filter(|_| more).map(|last| last.id.to_string());
    Page {
        sockets,
        cursor,
        partial: Vec::new(),
    }
}

impl Shards {
    /// Channels for `count` cores (1 to 4096): each hub takes one receiver.
    pub fn new(count: usize, nodes: Nodes) -> (Self, Vec<mpsc::UnboundedReceiver<Work>>) {
        assert!(
            (1..=ids::SHARDS_MAX).contains(&count),
            "a sid can name 1 to {} cores",
            ids::SHARDS_MAX
        );
        let (inboxes, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::unbounded_channel()).unzip();
        (
            Self {
                inboxes: inboxes.into(),
                nodes,
                lines: Arc::default(),
                marked: Arc::default(),
            },
            receivers,
        )
    }

    pub fn count(&self) -> usize {
        self.inboxes.len()
    }

    /// One more core follows an app's log.
    pub(crate) fn line_opened(&self, app: &Arc<str>) {
        *self.lines.lock().entry(app.clone()).or_default() += 1;
    }

    /// A core follows an app's log no longer.
    pub(crate) fn line_closed(&self, app: &str) {
        let mut lines = self.lines.lock();
        if let Some(open) = lines.get_mut(app) {
            *open -= 1;
            if *open == 0 {
                lines.remove(app);
            }
        }
    }

    pub(crate) fn is_marked(&self, app: &str) -> bool {
        self.marked.lock().contains(app)
    }

    pub(crate) fn mark(&self, app: &Arc<str>) {
        self.marked.lock().insert(app.clone());
    }

    pub(crate) fn lines_open(&self, app: &str) -> usize {
        self.lines.lock().get(app).copied().unwrap_or_default()
    }

    /// This node and the others.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Runs `work` on the thread of `sid`'s home. Answers false if `sid` names none of this node's cores: `work` is
    /// dropped then.
    pub fn run_at_home(&self, sid: &str, work: Work) -> bool {
        let home = ids::home_of(sid).filter(|home| home.incarnation == self.nodes.incarnation());
        home.is_some_and(|home| self.run(home.shard, work))
    }

    /// Runs `act` on every core.
    pub fn run_everywhere(&self, act: impl Fn(Hub) + Clone + Send + 'static) {
        for shard in 0..u16::try_from(self.count()).unwrap_or(u16::MAX) {
            let act = act.clone();
            let work: Work = Box::new(move |hub| Box::pin(async move { act(hub) }));
            self.run(shard, work);
        }
    }

    /// Runs `work` on a core's thread. False if there is no such core, or its thread has ended.
    pub(crate) fn run(&self, shard: u16, work: Work) -> bool {
        self.inboxes
            .get(usize::from(shard))
            .is_some_and(|inbox| inbox.send(work).is_ok())
    }

    /// Runs `ask` on a core and waits for its answer; `None` if the core is gone. If the future is dropped, so is the
    /// one that it started there.
    pub(crate) fn ask<R: Send + 'static>(
        &self,
        shard: u16,
        ask: impl FnOnce(Hub) -> LocalBoxFuture<'static, R> + Send + 'static,
    ) -> impl Future<Output = Option<R>> + Send + 'static {
        let (mut answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |hub| {
            Box::pin(async move {
                let asked = ask(hub);
                tokio::select! {
                    result = asked => drop(answer.send(result)),
                    () = answer.closed() => {}
                }
            })
        });
        self.run(shard, work);
        async move { answered.await.ok() }
    }

    /// Runs `ask` on every core.
    pub(crate) async fn ask_all<R: Send + 'static>(
        &self,
        ask: impl Fn(&Hub) -> R + Clone + Send + 'static,
    ) -> Vec<R> {
        let shards = 0..u16::try_from(self.count()).unwrap_or(u16::MAX);
        let answers = shards.map(|shard| {
            let ask = ask.clone();
            self.ask(shard, move |hub| Box::pin(async move { ask(&hub) }))
        });
        join_all(answers).await.into_iter().flatten().collect()
    }

    /// The connected sockets on this node.
    pub(crate) async fn page_here(&self, app: Arc<str>, target: Target, cursor: Option<String>) -> Page {
        let found = self
            .ask_all(move |hub| hub.sockets(&app, &target, cursor.as_deref()))
            .await;
        merge(found.into_iter().flatten().collect(), PAGE_SOCKETS_MAX)
    }

    /// Tasks that live on the cores, whatever for.
    pub async fn tasks(&self) -> usize {
        self.ask_all(|_| crate::tasks::tasks_alive())
            .await
            .into_iter()
            .sum()
    }

    /// Counters of an app over all cores.
    pub async fn stats(&self, app: Arc<str>) -> AppStats {
        let mut sum = AppStats::default();
        for stats in self.ask_all(move |hub| hub.stats(&app)).await {
            sum.sessions += stats.sessions;
            sum.sockets += stats.sockets;
            sum.away += stats.away;
            sum.opened += stats.opened;
            sum.events += stats.events;
            sum.deliveries += stats.deliveries;
            sum.volatile_dropped += stats.volatile_dropped;
            sum.bytes_in += stats.bytes_in;
            sum.bytes_out += stats.bytes_out;
            sum.recovered += stats.recovered;
            sum.not_recovered += stats.not_recovered;
            sum.unauthorised += stats.unauthorised;
            sum.overflows += stats.overflows;
            sum.failures += stats.failures;
            sum.log_offset = sum.log_offset.max(stats.log_offset);
        }
        sum
    }
}

impl Hub {
    /// The sockets of this core that match, after `cursor`, one more than a page at most.
    fn sockets(&self, app: &Arc<str>, target: &Target, cursor: Option<&str>) -> Vec<SocketInfo> {
        self.with(|state, _| {
            let mut keys = Vec::new();
            state.line(app).members.resolve(target, &mut keys);
            let mut found: Vec<_> = keys
                .into_iter()
                .filter_map(|key| state.sockets.get(key))
                .filter(|socket| matches!(socket.phase, Phase::Live { .. } | Phase::Replaying { .. }))
                .filter(|socket| cursor.is_none_or(|cursor| *socket.id > *cursor))
                .collect();
            found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            found.truncate(PAGE_SOCKETS_MAX + 1);
            found
                .into_iter()
                .map(|socket| {
                    let view = socket.view();
                    SocketInfo {
                        id: view.id,
                        namespace: view.namespace,
                        rooms: view.rooms,
                        state: view.state,
                    }
                })
                .collect()
        })
    }
}
