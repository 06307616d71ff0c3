use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use router::{Room, Target, Trace};

/// What an app's code reaches outside of itself: implemented by the server, one per app and core. `Send + Sync` and
/// `Send` futures since a guest's stack may be suspended in one of them.
///
/// Errors are texts for the app's author; they must not tell of other apps.
pub trait Host: Send + Sync + 'static {
    /// A value and its revision.
    fn kv_get<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<(Bytes, u64)>, String>>;

    /// Keys of `bucket` after `after` in byte order, at most `keys_max`.
    fn kv_keys<'a>(
        &'a self,
        bucket: &'a str,
        after: Option<&'a str>,
        keys_max: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, String>>;

    /// Stores what a call wrote: all or nothing. Called only if there is something, and before the call's effects
    /// are given out.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<(), CommitError>>;

    /// Sockets that match, as they are now: at most 1,000 a page.
    fn fetch_sockets(&self, target: Target, cursor: Option<String>) -> BoxFuture<'_, Result<Page, String>>;

    /// How many sockets a target has, at most and as far as this core can tell: at once.
    fn reach(&self, target: &Target) -> usize {
        _ = target;
        1
    }

    /// One line of the app's log. Not part of the transaction: lines of failed calls arrive too.
    fn log(&self, level: LogLevel, context: &str, message: &str, of: LineOf<'_>);

    /// The app's `[config]` and secrets.
    fn config(&self) -> Arc<BTreeMap<String, String>>;

    /// Whether the app may send HTTP requests to `authority`: `host:port` in lower case, the port always there.
    fn http_allowed(&self, authority: &str) -> bool;

    /// Whether those requests may go to loopback, private and link-local addresses.
    fn http_private_allowed(&self) -> bool {
        false
    }
}

/// Which call a line of the log is of.
#[derive(Clone, Copy, Debug)]
pub struct LineOf<'a> {
    /// The socket that it is for.
    pub socket: Option<&'a str>,
    pub trace: Option<&'a Trace>,
}

/// What one call stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Each key once, in the order of buckets and keys.
    pub kv: Vec<KvWrite>,
    /// In the order of the calls.
    pub timers: Vec<TimerChange>,
}

/// One key's change. `value: None` deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvWrite {
    pub bucket: Arc<str>,
    pub key: String,
    pub value: Option<Bytes>,
    pub condition: Condition,
}

/// What a call knew of a key that it writes. A key that was read first is written only if nobody else wrote it
/// meanwhile, so "get, change, set" in one call loses no update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Always,
    Absent,
    Revision(u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimerChange {
    Set {
        name: String,
        delay_ms: u32,
        payload: Bytes,
    },
    Cancel {
        name: String,
    },
}

/// Why nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A condition did not hold: the call is run again from its start.
    #[error("a key that this call read and wrote was changed by another call")]
    Conflict,
    /// The text is for the app's author.
    #[error("{0}")]
    Failed(String),
    /// Of the whole app: the text names it, `kv_keys = 1000`.
    #[error("{0}")]
    Limit(String),
}

/// A page of sockets. `cursor` is `None` on the last one; `partial` names nodes that did not answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub sockets: Vec<SocketInfo>,
    pub cursor: Option<String>,
    pub partial: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketInfo {
    pub id: Arc<str>,
    pub rooms: Vec<Room>,
    pub state: Bytes,
}

/// wasi:logging's levels. Lines of a guest's stdout are `Info`, of its stderr `Warn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}
