//! What nodes ask each other about sockets.
use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use router::Target;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use crate::{
    Node, Page, Shards, Unreachable,
    collect::{Report, deliver},
    recover::Released,
    shards::{PAGE_SOCKETS_MAX, merge},
};

/// Travels between nodes of one version: postcard, no promise to others.
#[derive(Serialize, Deserialize)]
enum Question {
    /// To a socket's home: give it up.
    Release {
        app: Arc<str>,
        namespace: Arc<str>,
        id: Arc<str>,
        shard: u16,
    },
    /// What a core's sockets answered to an emit of a core of the node that is asked.
    Report { shard: u16, report: Box<Report> },
    /// The connected sockets that match, after `cursor`.
    Sockets {
        app: Arc<str>,
        target: Target,
        cursor: Option<String>,
    },
}

/// A node that does not say which sockets it has by then is named in [`Page::partial`].
const FETCH_PATIENCE: Duration = Duration::from_secs(2);

impl Shards {
    /// Answers what another node asks through its [`crate::Wire`]. Nonsense is answered with nothing.
    pub fn answer(&self, question: &Bytes) -> BoxFuture<'static, Bytes> {
        let shards = self.clone();
        let question = postcard::from_bytes::<Question>(question);
        Box::pin(async move {
            match question {
                Ok(Question::Release {
                    app,
                    namespace,
                    id,
                    shard,
                }) => encode(&shards.release(shard, app, namespace, id).await),
                Ok(Question::Report { shard, report }) => encode(&shards.run(shard, deliver(*report))),
                Ok(Question::Sockets { app, target, cursor }) => {
                    encode(&shards.page_here(app, target, cursor).await)
                }
                Err(error) => {
                    tracing::warn!(%error, "another node asks what this one does not understand: are their versions the same?");
                    Bytes::new()
                }
            }
        })
    }

    /// Asks a core of this node to give a socket up.
    pub(crate) async fn release(
        &self,
        shard: u16,
        app: Arc<str>,
        namespace: Arc<str>,
        id: Arc<str>,
    ) -> Released {
        let asked = self.ask(shard, move |hub| {
            Box::pin(async move { hub.release(&app, &namespace, &id).await })
        });
        asked.await.unwrap_or(Released::Unknown)
    }

    /// Asks a core of another node to.
    pub(crate) async fn release_there(
        &self,
        node: Arc<Node>,
        shard: u16,
        app: Arc<str>,
        namespace: Arc<str>,
        id: Arc<str>,
    ) -> Result<Released, Unreachable> {
        let question = Question::Release {
            app,
            namespace,
            id,
            shard,
        };
        self.consult(node, &question).await
    }

    /// Brings answers to the node whose handler asked for them.
    pub(crate) async fn report_there(
        &self,
        node: Arc<Node>,
        shard: u16,
        report: Report,
    ) -> Result<bool, Unreachable> {
        let report = Box::new(report);
        self.consult(node, &Question::Report { shard, report }).await
    }

    /// The connected sockets of an app that match, on all nodes, as they are now. At most 1,000 a page.
    pub async fn fetch_sockets(&self, app: Arc<str>, target: Target, cursor: Option<String>) -> Page {
        let others = self.nodes().others();
        if others.is_empty() {
            return self.page_here(app, target, cursor).await;
        }
        let question = Question::Sockets {
            app: app.clone(),
            target: target.clone(),
            cursor: cursor.clone(),
        };
        let asked = others.into_iter().map(|node| {
            let name = node.name.clone();
            let answer = timeout(FETCH_PATIENCE, self.consult::<Page>(node, &question));
            async move { answer.await.ok().and_then(Result::ok).ok_or(name) }
        });
        let (own, answers) =
            futures_util::future::join(self.page_here(app, target, cursor), join_all(asked)).await;
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
        let mut page = merge(sockets.collect(), PAGE_SOCKETS_MAX);
        page.cursor = page.cursor.or(end);
        page.partial = partial;
        page
    }

    async fn consult<A: DeserializeOwned>(
        &self,
        node: Arc<Node>,
        question: &Question,
    ) -> Result<A, Unreachable> {
        let name = node.name.clone();
        let answer = self.nodes().ask(node, encode(question)).await?;
        postcard::from_bytes(&answer).map_err(|error| Unreachable {
            node: name,
            reason: format!("its answer is not understood ({error})"),
        })
    }
}

fn encode(value: &impl Serialize) -> Bytes {
    // Plain data into memory: nothing there can fail.
    postcard::to_stdvec(value).unwrap_or_default().into()
}

#[cfg(test)]
mod tests;
