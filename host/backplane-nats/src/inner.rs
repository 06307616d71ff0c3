use std::sync::Arc;

use backplane::Error;

use crate::{blobs::Blobs, kv::Buckets, link::Link, log::Logs, topics::Topics};

/// The rooms behind the trait, all on the background thread.
pub(crate) struct Inner {
    pub(crate) link: Arc<Link>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) buckets: Arc<Buckets>,
    pub(crate) topics: Arc<Topics>,
    pub(crate) blobs: Blobs,
}

impl Inner {
    pub(crate) async fn start(link: Arc<Link>) -> Result<Self, Error> {
        let buckets = Buckets::new(Arc::clone(&link));
        Ok(Self {
            logs: Logs::start(Arc::clone(&link), Arc::clone(&buckets)).await?,
            topics: Arc::new(Topics::new(Arc::clone(&link))),
            blobs: Blobs::new(Arc::clone(&link)),
            buckets,
            link,
        })
    }

    /// Ends what is streamed to callers.
    pub(crate) fn close(&self) {
        self.logs.close();
        self.topics.close();
    }
}
