//! Who is connected: asked of every core and every node, and answered as of one place in the app's log.
//!
//! Each core reads the log at its own pace. An ack goes out when the core of its client has read what the call emitted;
//! another core may not have moved its sockets by then. So whoever had read less than another is asked again, and looks
//! when it has read as much.
use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use router::{Position, Room, Target};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::{Hub, Node, Shards, socket::Phase};

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
    /// Who is behind this place of the log catches up before it looks.
    pub(crate) as_of: Option<Position>,
}

/// What somebody has, and how far it had read the app's log when it looked: `None` if it does not read it, since it has
/// none of the app's sockets.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Look<T> {
    as_of: Option<Position>,
    has: T,
}

/// Sockets in a page.
const PAGE_SOCKETS_MAX: usize = 1000;
/// A node that does not say which sockets it has by then is named in [`Page::partial`].
const FETCH_PATIENCE: Duration = Duration::from_secs(2);
/// A core that has not caught up by then says what it has: its node reads no faster than the backplane lets it.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(1);

impl Shards {
    /// The connected sockets of an app that match, on all nodes: what an ack, anywhere, was held back for is in it. At
    /// most 1,000 a page.
    pub async fn fetch_sockets(&self, app: Arc<str>, target: Target, cursor: Option<String>) -> Page {
        let wanted = Wanted {
            app,
            target,
            cursor,
            as_of: None,
        };
        let others = self.nodes().others();
        if others.is_empty() {
            return self.page_here(wanted).await.has;
        }
        let everybody = std::iter::once(None)
            .chain(others.into_iter().map(Some))
            .collect();
        let mut pages = Vec::new();
        let mut partial = Vec::new();
        for answer in level(everybody, wanted, |node, wanted| self.page_of(node, wanted)).await {
            match answer {
                Ok(look) => pages.push(look.has),
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
    pub(crate) async fn page_here(&self, wanted: Wanted) -> Look<Page> {
        let cores = (0..u16::try_from(self.count()).unwrap_or(u16::MAX)).collect();
        let looks = level(cores, wanted, |shard, wanted| {
            let asked = self.ask(shard, |hub| Box::pin(async move { hub.look(wanted).await }));
            async move { asked.await.ok_or(()) }
        });
        let looks: Vec<_> = looks.await.into_iter().flatten().collect();
        Look {
            as_of: looks
                .iter()
                .filter_map(|look| look.as_of)
                .max_by_key(|at| at.offset),
            has: merge(looks.into_iter().flat_map(|look| look.has).collect()),
        }
    }

    /// The page of another node, or of this one (`None`). The error is the name of one that did not answer.
    async fn page_of(&self, node: Option<Arc<Node>>, wanted: Wanted) -> Result<Look<Page>, String> {
        let Some(node) = node else {
            return Ok(self.page_here(wanted).await);
        };
        let name = node.name.clone();
        let answer = timeout(FETCH_PATIENCE, self.sockets_there(node, wanted)).await;
        answer.ok().and_then(Result::ok).ok_or(name)
    }
}

/// Asks all at once, and then those again that had read less of the log than another.
async fn level<W, T, E, F>(
    asked: Vec<W>,
    mut wanted: Wanted,
    ask: impl Fn(W, Wanted) -> F,
) -> Vec<Result<Look<T>, E>>
where
    W: Clone,
    F: Future<Output = Result<Look<T>, E>>,
{
    let mut looks = join_all(asked.iter().map(|who| ask(who.clone(), wanted.clone()))).await;
    let places = looks.iter().flatten().filter_map(|look| look.as_of);
    wanted.as_of = places.chain(wanted.as_of).max_by_key(|at| at.offset);
    let behind = looks.iter_mut().zip(asked).filter(|(look, _)| {
        let at = look.as_ref().ok().and_then(|look| look.as_of);
        at.zip(wanted.as_of).is_some_and(|(at, most)| is_behind(at, most))
    });
    join_all(behind.map(|(look, who)| {
        let again = ask(who, wanted.clone());
        async move { *look = again.await }
    }))
    .await;
    looks
}

/// Of a log that was lost there is nothing to wait for.
fn is_behind(at: Position, place: Position) -> bool {
    at.epoch == place.epoch && at.offset < place.offset
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
    /// The sockets of this core that match, after the cursor, one more than a page at most.
    async fn look(&self, wanted: Wanted) -> Look<Vec<SocketInfo>> {
        let Wanted {
            app,
            target,
            cursor,
            as_of,
        } = wanted;
        let own = self.with(|state, _| state.lines.get(&app).and_then(|line| line.place()));
        if let Some(place) = as_of.filter(|place| own.is_some_and(|own| is_behind(own, *place))) {
            self.has_read(&app, place.offset, CATCH_UP_PATIENCE).await;
        }
        self.with(|state, _| {
            let mut keys = Vec::new();
            let Some(line) = state.lines.get(&app) else {
                return Look {
                    as_of: None,
                    has: Vec::new(),
                };
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
            let info = |socket: &crate::socket::Socket| {
                let view = socket.view();
                SocketInfo {
                    id: view.id,
                    namespace: view.namespace,
                    rooms: view.rooms,
                    state: view.state,
                }
            };
            Look {
                as_of: line.place(),
                has: found.into_iter().map(info).collect(),
            }
        })
    }
}

#[cfg(test)]
mod tests;
