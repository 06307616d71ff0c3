use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{future::BoxFuture, stream::BoxStream};
use router::{Delivery, Epoch, Position};

/// A future of the backplane: `Send`, since one backplane serves every core.
pub type Answer<T> = BoxFuture<'static, Result<T, Error>>;

/// What nodes share. Cheap to clone behind an `Arc`; every method may be called from any thread.
pub trait Backplane: Send + Sync + 'static {
    /// Appends to an app's log, all or nothing, in order. When the future answers, the entries are accepted
    /// (see the promises of the implementation) and this node's [`Self::read`] answers them. Every [`Tail`] of the
    /// log gets them in order: the embedded backplane's have them by then, over NATS even this node's own may be behind.
    ///
    /// A repeated `key` within the log's window appends nothing and answers the first call's positions.
    fn append(&self, app: &str, entries: Vec<Arc<Delivery>>, key: Option<String>) -> Answer<Appended>;

    /// Live entries of an app's log from now on, in order, without gaps.
    fn tail(&self, app: &str) -> Answer<Tail>;

    /// Entries after `after`, oldest first, at most `entries_max`. [`Error::Gone`] if the log no longer has all of
    /// them, or never had (another epoch).
    fn read(&self, app: &str, after: Position, entries_max: usize) -> Answer<Vec<(Position, Arc<Delivery>)>>;

    /// Where the log ends now.
    fn head(&self, app: &str) -> Answer<Position>;

    /// Sets how much of an app's log is kept: whichever limit is reached first.
    fn retain(&self, app: &str, window: Window) -> Answer<()>;

    /// At-most-once, unordered between publishers: to every subscriber of `topic` there is now.
    fn publish(&self, topic: &str, payload: Bytes) -> Answer<()>;
    fn subscribe(&self, topic: &str) -> Answer<BoxStream<'static, Bytes>>;

    /// Key-value. `bucket` and `key` are any strings of 1 to 512 bytes; values at most
    /// 500,000 bytes.
    fn get(&self, bucket: &str, key: &str) -> Answer<Option<Value>>;
    /// Writes and deletes, all or nothing, each under its condition. [`Error::Conflict`] names the first key
    /// whose condition failed. Answers the keys' new revisions, one a change, those of deleted keys included.
    fn write(&self, bucket: &str, changes: Vec<Change>) -> Answer<Vec<u64>>;
    /// Keys of a bucket that start with `prefix` and come after `after`, in byte order, at most `keys_max`.
    fn keys(&self, bucket: &str, prefix: &str, after: Option<&str>, keys_max: usize) -> Answer<Vec<String>>;

    /// Stores bytes, at most 256 MiB, under their SHA-256 and answers it in lower-case hex. Both of the others take
    /// that and nothing else; [`Self::get_blob`] answers only bytes that still have the digest.
    fn put_blob(&self, blob: Bytes) -> Answer<String>;
    fn get_blob(&self, digest: &str) -> Answer<Option<Bytes>>;
    fn delete_blob(&self, digest: &str) -> Answer<()>;

    /// Whether other nodes can be reached now, as far as is known. What is asked meanwhile waits or fails.
    fn is_connected(&self) -> bool;
}

/// Live entries of one log. `start` is the position after which they begin.
pub struct Tail {
    pub start: Position,
    /// Bounded: a tail that is not read loses nothing, it slows appends (or, where many nodes append, falls behind).
    pub steps: BoxStream<'static, (Position, Step)>,
}

/// What a tail has come to. Positions never go back within an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Entry(Arc<Delivery>),
    /// The log has no entry between the last step and here: told now and then, where an app's offsets go on without it.
    Passed,
    /// Entries before this position were missed for good, or the log was lost and this is another epoch's: whoever
    /// depended on having all of them has a gap.
    Gap,
}

/// Where entries landed: one offset an entry, growing, all of one epoch. (The embedded backplane's are consecutive.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    pub epoch: Epoch,
    pub offsets: Vec<u64>,
    /// The key had been seen: nothing was appended.
    pub duplicate: bool,
}

/// How much of a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub age: Duration,
    pub packets_max: u64,
    pub bytes_max: u64,
}

impl Window {
    /// What a log keeps until [`Backplane::retain`] says otherwise: two minutes, as Socket.IO's connection state
    /// recovery does by default.
    pub const INITIAL: Self = Self {
        age: Duration::from_mins(2),
        packets_max: 10_000,
        bytes_max: 16 << 20,
    };
}

/// A value and the revision it was written at. Revisions grow within a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub bytes: Bytes,
    pub revision: u64,
}

/// One key's change. `value: None` deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: String,
    pub value: Option<Bytes>,
    pub condition: Condition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Always,
    /// The key must not exist.
    Absent,
    /// The key must exist at this revision.
    Revision(u64),
}

/// Why the backplane refused. Every variant says whose fault it is and what the caller does next.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The log does not reach back that far: tell the client that it is not recovered.
    #[error("the log no longer has what follows that position")]
    Gone,
    /// Someone else wrote first: read again.
    #[error("key {key:?} was changed by someone else")]
    Conflict { key: String },
    /// The caller broke a limit, which the text names.
    #[error("{0}")]
    Invalid(String),
    /// Storage or network failed; nothing is known to have been stored. Retry with the same key.
    #[error("backplane unavailable: {0}")]
    Unavailable(String),
}
