//! Who is connected: asked of every core and every node, and answered as of one place in the app's log.
//!
//! Each core reads the log at its own pace. An ack goes out when the core of its client has read what the call emitted;
//! another core may not have moved its sockets by then. So whoever had read less than another is asked again, and looks
//! when it has read as much.
use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use router::{Epoch, Position, Room, Target};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::{
    Hub, Node, Shards,
    line::{Line, Log},
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
    /// Who is behind this entry of the log catches up before it looks.
    pub(crate) as_of: Option<Position>,
}

/// What somebody has, and how far it had read the app's log when it looked: `None` if it does not read it, since it has
/// none of the app's sockets.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Look<T> {
    reading: Option<Reading>,
    has: T,
}

/// How far somebody has read a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reading {
    epoch: Epoch,
    /// The last entry that it had. Acks wait for entries, so this is what others are measured against.
    entry: u64,
    /// Beyond that it knows of no other up to here: not as far on every core, though they have the same entries.
    through: u64,
}

/// Sockets in a page.
const PAGE_SOCKETS_MAX: usize = 1000;
/// A node that does not say which sockets it has by then is named in [`Page::partial`].
const FETCH_PATIENCE: Duration = Duration::from_secs(2);
/// A core that has not caught up by then says what it has: its node reads no faster than the backplane lets it. A node may wait
/// for this twice, and must have answered before nobody waits for it any more.
const CATCH_UP_PATIENCE: Duration = Duration::from_millis(500);

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
            reading: together(looks.iter().filter_map(|look| look.reading)),
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

/// Asks all at once, and then those again that had read less of the log than another. Who does not answer the second time
/// has answered the first time.
async fn level<W, T, E, F>(
    asked: Vec<W>,
    wanted: Wanted,
    ask: impl Fn(W, Wanted) -> F,
) -> Vec<Result<Look<T>, E>>
where
    W: Clone,
    F: Future<Output = Result<Look<T>, E>>,
{
    let mut looks = join_all(asked.iter().map(|who| ask(who.clone(), wanted.clone()))).await;
    let readings: Vec<_> = looks.iter().flatten().filter_map(|look| look.reading).collect();
    let behind = looks.iter_mut().zip(asked).filter_map(|(look, who)| {
        let place = look.as_ref().ok()?.reading?.lacks(&readings)?;
        let as_of = Some(place);
        let again = ask(
            who,
            Wanted {
                as_of,
                ..wanted.clone()
            },
        );
        Some(async move {
            if let Ok(again) = again.await {
                *look = Ok(again);
            }
        })
    });
    join_all(behind).await;
    looks
}

impl Reading {
    /// The last entry that one of the others had, if this one had not come so far. Of a log that was lost, or is not known
    /// here yet, there is nothing to wait for.
    fn lacks(self, others: &[Self]) -> Option<Position> {
        let same = others.iter().filter(|other| other.epoch == self.epoch);
        let offset = same.map(|other| other.entry).max()?;
        let epoch = self.epoch;
        (self.through < offset).then_some(Position { epoch, offset })
    }
}

/// How far a node has read whose cores have read so far.
fn together(cores: impl Iterator<Item = Reading>) -> Option<Reading> {
    cores.reduce(|one, other| {
        let (most, least) = if one.entry < other.entry {
            (other, one)
        } else {
            (one, other)
        };
        let same = least.epoch == most.epoch;
        Reading {
            through: if same {
                most.through.min(least.through)
            } else {
                most.through
            },
            ..most
        }
    })
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
        if let Some(place) = as_of
            && self.with(|state, _| {
                let log = state.lines.get(&app).and_then(reading);
                log.is_some_and(|log| log.epoch == place.epoch)
            })
        {
            self.has_read(&app, place.offset, CATCH_UP_PATIENCE).await;
        }
        self.with(|state, _| {
            let mut keys = Vec::new();
            let Some(line) = state.lines.get(&app) else {
                return Look {
                    reading: None,
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
            let info = |socket: &Socket| {
                let view = socket.view();
                SocketInfo {
                    id: view.id,
                    namespace: view.namespace,
                    rooms: view.rooms,
                    state: view.state,
                }
            };
            Look {
                reading: reading(line),
                has: found.into_iter().map(info).collect(),
            }
        })
    }
}

/// `None` if the log is not read here.
fn reading(line: &Line) -> Option<Reading> {
    match line.log {
        Log::Open {
            epoch,
            processed: through,
            entry,
        } => Some(Reading {
            epoch,
            entry,
            through,
        }),
        Log::Closed | Log::Opening(_) => None,
    }
}

#[cfg(test)]
mod tests;
