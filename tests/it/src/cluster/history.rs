//! What a swarm has seen and done, as js/cluster/history.mjs writes it down. Times are milliseconds of its clock.
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

/// Everything of one run.
#[derive(Deserialize)]
pub(crate) struct History {
    pub(crate) said: Vec<Said>,
    pub(crate) clients: Vec<Client>,
    /// The last word of each room: id by room.
    pub(crate) marks: HashMap<String, String>,
    /// Disconnections and failed connections, counted by what was said.
    pub(crate) errors: BTreeMap<String, u64>,
}

/// A message, said once.
#[derive(Deserialize)]
pub(crate) struct Said {
    pub(crate) id: String,
    pub(crate) room: String,
    pub(crate) at: f64,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// Acked by the call that emitted it.
    Accepted,
    /// The ack was an error or did not come: it may be in the log or not.
    Unknown,
    /// Not even that is known: the run ended before.
    Outstanding,
}

#[derive(Deserialize)]
pub(crate) struct Client {
    pub(crate) number: u64,
    pub(crate) rooms: Vec<String>,
    pub(crate) lives: Vec<Life>,
    pub(crate) away: Vec<Away>,
    /// Messages that came before any connection.
    pub(crate) orphans: u64,
    /// What the handler says that it is, in the end.
    pub(crate) whoami: Option<Value>,
}

/// From a new connection over all that recovered it.
#[derive(Deserialize)]
pub(crate) struct Life {
    /// The socket's id at each connection; the same if it was truly recovered.
    pub(crate) sids: Vec<String>,
    /// Called recovered although there was nothing to recover.
    pub(crate) claimed: bool,
    /// When it was in all of its rooms.
    pub(crate) joined: Option<f64>,
    /// Id and offset of each message, in order of arrival.
    pub(crate) heard: Vec<(String, String)>,
}

#[derive(Deserialize)]
pub(crate) struct Away {
    pub(crate) from: f64,
    pub(crate) back: Option<f64>,
}
