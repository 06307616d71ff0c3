//! Any node takes any request: which one it is for.
use std::sync::Arc;

use crate::{Hub, Node, ids};

/// Which node a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Here,
    Node(Arc<Node>),
    /// The node is dead, or the id was never given out.
    Nowhere,
}

impl Hub {
    /// Where the session `sid` is to be asked for. Asks the backplane if its node is not known yet.
    pub async fn place(&self, sid: &str) -> Place {
        let own = self.0.home.incarnation;
        match ids::home_of(sid) {
            Some(home) if home.incarnation == own => Place::Here,
            Some(home) => match self.0.shards.nodes().find_claimed(home.incarnation).await {
                Ok(Some(node)) => Place::Node(node),
                // Where that cannot be known, no request could be sent there either.
                Ok(None) | Err(_) => Place::Nowhere,
            },
            None => Place::Nowhere,
        }
    }

    /// Where a new session of an app is to be opened: elsewhere if this node drains and another that has it does not.
    pub fn place_new(&self, app: &str) -> Place {
        if !self.with(|state, _| state.draining) {
            return Place::Here;
        }
        let mut open = self.0.shards.nodes().running(app);
        open.retain(|node| !node.draining);
        let any = u64::from_le_bytes(ids::random()) as usize;
        let chosen = any.checked_rem(open.len()).and_then(|index| open.get(index));
        chosen.map_or(Place::Here, |node| Place::Node(node.clone()))
    }
}
