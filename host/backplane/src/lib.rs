//! What nodes share: publish/subscribe, a log per app, key-value buckets and blobs. One trait ([`Backplane`]), the
//! implementation of it for a single node ([`Embedded`]), and the [`suite`] that every implementation passes.
//!
//! The store beneath is fjall, not redb: a log-structured tree appends an entry to its journal with one system call
//! and no fsync, which survives the death of the process; redb's copy-on-write tree rewrites pages up to the root
//! for each commit, and without fsync promises nothing before the next durable commit.
mod limits;
mod queue;
mod traits;

mod embedded;

pub mod suite;

pub use embedded::{Embedded, Fsync, OpenError};
pub use limits::*;
pub use queue::{Bounds, Popped, Queue};
pub use traits::*;
