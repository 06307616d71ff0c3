//! What nodes ask each other about sockets.
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Node, Shards, Unreachable,
    collect::{Report, deliver},
    recover::Released,
    sockets::{Page, Wanted},
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
    /// The connected sockets that match.
    Sockets(Wanted),
}

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
                Ok(Question::Sockets(wanted)) => encode(&shards.page_here(wanted).await),
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

    /// Asks another node which sockets it has.
    pub(crate) async fn sockets_there(&self, node: Arc<Node>, wanted: Wanted) -> Result<Page, Unreachable> {
        self.consult(node, &Question::Sockets(wanted)).await
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
