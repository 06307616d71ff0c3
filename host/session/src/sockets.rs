//! Who is connected: asked of every core and every node.
//!
//! Each core reads the log at its own pace. An ack goes out when the core of its client has read what the call emitted;
//! another core may not have moved its sockets by then. So every node looks where the log ends when it is asked, and each of
//! its cores reads that far before it answers.
use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use router::{Epoch, Position, Room, Target};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::{
    Hub, Node, Shards,
    socket::{Phase, Socket},
};

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

/// Which sockets are asked for.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) app: Arc<str>,
    pub(crate) target: Target,
    pub(crate) cursor: Option<String>,
}

/// Sockets in a page.
const PAGE_SOCKETS_MAX: usize = 1000;
/// A node that does not say which sockets it has by then is named in [`Page::partial`].
const FETCH_PATIENCE: Duration = Duration::from_secs(2);
/// For where the log ends, and then for the cores to read that far: what they have not read by then is not in their answer, as
/// when the backplane is away. Twice this has passed before nobody waits for the node any more.
const CATCH_UP_PATIENCE: Duration = Duration::from_millis(500);

impl Shards {
    /// The connected sockets of an app that match, on all nodes: whatever any client was sent an ack for is in it. At most
    /// 1,000 a page.
    pub async fn fetch_sockets(&self, app: Arc<str>, target: Target, cursor: Option<String>) -> Page {
        let wanted = Wanted { app, target, cursor };
        let others = self.nodes().others();
        if others.is_empty() {
            return self.page_here(wanted).await;
        }
        let asked = others.into_iter().map(|node| self.page_of(node, wanted.clone()));
        let (own, answers) = tokio::join!(self.page_here(wanted.clone()), join_all(asked));
        let mut pages = vec![own];
        let mut partial = Vec::new();
        for answer in answers {
            match answer {
                Ok(page) => pages.push(page),
                Err(name) => partial.push(name),
            }
        }
        // Where a node has more than its page, what others have beyond that page's end must wait.
        let end = pages.iter().filter_map(|page| page.cursor.clone()).min();
        let sockets = pages.into_iter().flat_map(|page| page.sockets);
        let sockets = sockets.filter(|socket| end.as_deref().is_none_or(|end| *socket.id <= *end));
        let mut page = merge(sockets.collect());
        page.cursor = page.cursor.or(end);
        page.partial = partial;
        page
    }

    /// The connected sockets on this node.
    pub(crate) async fn page_here(&self, wanted: Wanted) -> Page {
        if self.lines_open(&wanted.app) == 0 {
            return Page::default();
        }
        let app = Arc::clone(&wanted.app);
        let end = self.ask(0, |hub| Box::pin(async move { hub.end_of_log(&app).await }));
        let end = end.await.flatten();
        let cores = 0..u16::try_from(self.count()).unwrap_or(u16::MAX);
        let asked = cores.map(|shard| {
            let wanted = wanted.clone();
            self.ask(shard, move |hub| {
                Box::pin(async move { hub.look(wanted, end).await })
            })
        });
        merge(join_all(asked).await.into_iter().flatten().flatten().collect())
    }

    /// The page of another node. The error is the name of one that did not answer.
    async fn page_of(&self, node: Arc<Node>, wanted: Wanted) -> Result<Page, String> {
        let name = node.name.clone();
        let answer = timeout(FETCH_PATIENCE, self.sockets_there(node, wanted)).await;
        answer.ok().and_then(Result::ok).ok_or(name)
    }
}

/// A page of what several cores or nodes have.
fn merge(mut sockets: Vec<SocketInfo>) -> Page {
    sockets.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    let more = sockets.len() > PAGE_SOCKETS_MAX;
    sockets.truncate(PAGE_SOCKETS_MAX);
    let cursor = sockets.last().filter(|_| more).map(|last| last.id.to_string());
    Page {
        sockets,
        cursor,
        partial: Vec::new(),
    }
}

impl Hub {
    /// Where the app's log ends now. `None` if the backplane does not say so in time.
    async fn end_of_log(&self, app: &str) -> Option<Position> {
        let head = timeout(CATCH_UP_PATIENCE, self.0.backplane.head(app)).await;
        head.ok().and_then(Result::ok)
    }

    /// The sockets of this core that match, after the cursor, one more than a page at most: when the log has been read here up
    /// to `end`.
    async fn look(&self, wanted: Wanted, end: Option<Position>) -> Vec<SocketInfo> {
        let Wanted { app, target, cursor } = wanted;
        if let Some(end) = end
            && self.reads(&app, end.epoch)
        {
            self.has_read(&app, end.offset, CATCH_UP_PATIENCE).await;
        }
        self.with(|state, _| {
            let mut keys = Vec::new();
            let Some(line) = state.lines.get(&app) else {
                return Vec::new();
            };
            line.members.resolve(&target, &mut keys);
            let mut found: Vec<_> = keys
                .into_iter()
                .filter_map(|key| state.sockets.get(key))
                .filter(|socket| matches!(socket.phase, Phase::Live { .. } | Phase::Replaying { .. }))
                .filter(|socket| cursor.as_deref().is_none_or(|cursor| *socket.id > *cursor))
                .collect();
            found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            found.truncate(PAGE_SOCKETS_MAX + 1);
            let info = |socket: &Socket| {
                let view = socket.view();
                SocketInfo {
                    id: view.id,
                    namespace: view.namespace,
                    rooms: view.rooms,
                    state: view.state,
                }
            };
            found.into_iter().map(info).collect()
        })
    }

    /// Whether this core reads that log: of one that was lost, or is not known here yet, there is nothing to wait for.
    fn reads(&self, app: &Arc<str>, log: Epoch) -> bool {
        self.with(|state, _| {
            let line = state.lines.get(app);
            line.is_some_and(|line| line.position().0 == log)
        })
    }
}
