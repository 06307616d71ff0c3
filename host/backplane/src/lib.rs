//! What nodes share: publish/subscribe, a log per app, key-value buckets and blobs. One trait, the embedded
//! implementation of it for a single node, and the suite that every implementation passes.
mod traits;

pub use traits::*;
