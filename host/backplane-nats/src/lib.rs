//! The backplane over NATS: logs, buckets and blobs are JetStream streams, topics are plain subjects. Servers from
//! 2.9.10 on; old ones work without what came later, since everything here is built on streams alone.
//!
//! # Subjects and streams
//!
//! `{p}` is the prefix (`wakeline`), `{P}` the same in upper case, `{n}` a partition: SHA-256 of the app's or bucket's
//! name modulo the number of partitions. Names are any bytes, so subjects carry 128 bits of their SHA-256, and the
//! name itself is in every message and compared by whoever reads it.
//!
//! | what | stream | subject | message |
//! |---|---|---|---|
//! | append | `{P}_log_{n}` | `{p}.log.{n}.{app}` | all its entries, or those of several appends; or a part of them |
//! | key | `{P}_kv_{n}` | `{p}.kv.{n}.{bucket}.{key}` | value, tombstone or intent; the subject's last counts |
//! | transaction | `{P}_kv_{n}` | `{p}.kv.{n}.txn.{id}` | committed or aborted, and its keys |
//! | blob | `{P}_blobs` | `{p}.blob.{sha256}.{chunk}`, then `{p}.blob.{sha256}` | 512 KiB each; then its size |
//! | topic | none | `{p}.t.{topic}` | a payload, a chunk of one, or a subscriber's probe |
//! | event from outside | none | `{p}.emit.{app}`, the app's name as it is | the client's; see [`Nats::emits`] |
//!
//! All streams are on disk, discard their oldest, and have 1 or 3 replicas. A log keeps [`NatsConfig::log_bytes_max`],
//! and at least [`NatsConfig::log_age`] or the longest window of any app. Frames begin with their version, 1, and are
//! parsed as data from outside: see `log/frame.rs`, `kv/frame.rs`, `topics/frame.rs`.
//!
//! # What each promise rests on
//!
//! - *An append is whole or not at all*: it is one message. One that is larger than a message goes ahead in parts,
//!   which nobody looks at until the last message names them.
//! - *Its offsets* are the stream's sequence shifted by 12 bits, plus the entry's place: an app's offsets grow, with
//!   holes, and every node reads the same.
//! - *Accepted* means stored by JetStream: by the server, or by a majority of three. What this node appends without a
//!   key, to an app that it reads, is sent without asking for an answer, and accepted when it is read: servers deliver
//!   what is stored. What is not read within half a second is sent again, and answered when JetStream acknowledges it;
//!   so is all else. Servers write to disk, and sync every two minutes unless told otherwise (`sync_interval`): a
//!   machine that dies with one replica may lose what it acknowledged. That is found out, and changes the epoch (below).
//! - *Once*: every message has a `Nats-Msg-Id` and is sent again with the same one until it is acknowledged or 20
//!   seconds have passed. Servers know ids for two minutes (`duplicate_window`): so long is an idempotency key known,
//!   also if the window is longer.
//! - *Order*: one consumer a partition and node reads the stream in its order; what comes twice is dropped by its
//!   sequence. Delivery is what was read back, never what was sent. An append that was acknowledged may be answered
//!   a moment before this node's own tails have it.
//! - *One thread for logs*: the background thread or, where a node serves on one thread ([`Nats::take_logs`]), that
//!   one: a message then wakes one thread a node. Leases, keys and topics always are the background thread's.
//! - *Without gaps*: a consumer whose deliveries are not consecutive, or without heartbeats for 3 seconds, is made
//!   anew after the last entry read. What has left the stream by then is told as `Step::Gap`.
//! - *Epoch*: a hash of the stream's creation and of a generation in the bucket `wakeline:meta`. A reader that finds
//!   the stream shorter than what it has read (and still so after 3 seconds, since a new leader may be behind) changes
//!   the generation, if no other node has; every node learns of it when it next connects or makes its consumer.
//! - *Streams that are gone* (servers that lost their disks, or keep them in memory) are made anew by whoever misses
//!   one. A log made anew has another epoch; what has been appended to it by then is read from its start by all, and
//!   an append whose sequence says that it went there is answered with that epoch.
//! - *No pause longer than JetStream's*: what a leader has not answered within half a second is asked again, and so is
//!   a consumer, since servers may put it on one that is down and never say so (they know only minutes later).
//!   Small buckets are listed without a consumer.
//! - *A bounded memory*: appends on their way hold at most 64 MiB, 256 messages are unacknowledged, a tail holds 4096
//!   steps or 8 MiB. A tail that nobody reads stops the reader of its partition on this node, and this node's appends
//!   to its app; [`Nats`] then says after 10 seconds that it is not connected.
//! - *A revision's writer wins alone*: `Nats-Expected-Last-Subject-Sequence`. Replicated streams of servers before
//!   2.12 compare it too early, so that several writers of one revision pass; therefore they also share a
//!   `Nats-Msg-Id`, which those servers compare when they store, and there blind writes look first.
//! - *Reads that decide* ask the stream's leader; direct gets, which a replica that is behind may answer, fetch only
//!   what a digest or a sequence identifies.
//! - *Several keys, all or nothing*: an intent on each key, in place of its value and holding the old and the new one;
//!   then the transaction's record, which must be its subject's first message; then the values. Whoever meets an
//!   intent follows the record; if there is none for 5 seconds, it writes one that says aborted. Old revisions stay
//!   good through an abort.
//! - *Topics* lose what is published while a node is not connected, and what a subscriber's full queue (4096 payloads
//!   or 16 MiB) has no room for. A subscription is in force, on the server that this node is connected to, once the
//!   subscriber has heard itself.
//!
//! # Known limits
//!
//! A revision that a removal answered must not be written at: until the tombstone is purged, `Condition::Revision`
//! would take it for the key's. A record of an aborted transaction whose node never came back stays for good.
mod config;
mod nats;
mod stats;

mod blobs;
mod connect;
mod emits;
mod feed;
mod hedge;
mod inner;
mod kv;
mod link;
mod log;
mod names;
mod streams;
mod topics;
mod wire;

pub use config::{ConnectError, NatsConfig, ServerInfo};
pub use emits::Emit;
pub use nats::Nats;
pub use stats::Stats;
