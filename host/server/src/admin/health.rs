use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use super::{
    Admin, Asked,
    reply::{self, Outcome, Reply, text},
};
use crate::{cluster, handle::Readiness, metrics};

impl Admin {
    pub(super) fn ready(&self) -> Reply {
        match self.handle.readiness() {
            Readiness::Ready => text(StatusCode::OK, "ready\n"),
            Readiness::CutOff => text(StatusCode::SERVICE_UNAVAILABLE, "cut off from NATS\n"),
            Readiness::Ending => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        }
    }

    /// An app's token sees that app's lines and nothing of the node. Nobody's: those of a scraper on this machine.
    pub(super) async fn metrics(&self, asked: Asked<'_>) -> Outcome {
        let mut apps = self.handle.numbers().await;
        match asked.who {
            None if !asked.peer.to_canonical().is_loopback() => Err(reply::unauthorised()),
            Some(who) if !who.is_operator() => {
                if !who.has(platform::Scope::Read) {
                    return Err(super::access::forbidden("the token lacks the scope `read`"));
                }
                apps.retain(|(name, _)| Some(name.as_str()) == who.app.as_deref());
                Ok(reply::metrics(metrics::render_apps(&apps)))
            }
            _ => Ok(reply::metrics(metrics::render(
                &apps,
                &self.handle.node_numbers().await,
            ))),
        }
    }

    /// The nodes that live, as this one sees them, and where they run another version of a folder's app than this one.
    pub(super) fn nodes(&self) -> Reply {
        let nodes = self.handle.nodes();
        let mut own = nodes.own();
        // One that is alone has no lease to say it in.
        own.name.clone_from(&self.node);
        let others = nodes.others();
        let all = std::iter::once(&own).chain(others.iter().map(Arc::as_ref));
        let nodes: Vec<_> = all
            .map(|node| {
                json!({
                    "name": node.name,
                    "address": node.address,
                    "draining": node.draining,
                    "apps": node.apps,
                    "catalogue": node.catalogue,
                    "failed": node.failed,
                    "differs": cluster::differences(&own, node),
                })
            })
            .collect();
        reply::json(StatusCode::OK, &json!({ "node": self.node, "nodes": nodes }))
    }
}
