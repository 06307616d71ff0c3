use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::future::{LocalBoxFuture, join_all};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::{AppStats, Hub, Nodes, ids};

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
