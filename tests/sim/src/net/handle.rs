use std::{sync::Arc, time::Duration};

use backplane::{Answer, Appended, Backplane, Change, Error, Tail, Value, Window};
use bytes::Bytes;
use futures_util::{FutureExt, future::ready, stream::BoxStream};
use router::{Delivery, Position};
use sha2::{Digest, Sha256};

use super::{Net, links::Lane, log::partition_of};

/// One node's way to what all share, and the strings to pull on it from outside.
#[derive(Clone)]
pub struct Handle {
    net: Net,
    node: usize,
}

impl Handle {
    pub(super) fn new(net: Net, node: usize) -> Self {
        Self { net, node }
    }

    /// The connection is gone until [`Self::mend`]; what is under way may or may not arrive.
    pub fn cut(&self) {
        self.net.cut(self.node);
    }

    pub fn mend(&self) {
        self.net.mend(self.node);
    }

    /// The process is stopped (or goes on): it asks nothing more, what it had asked is answered.
    pub fn pause(&self, paused: bool) {
        self.net.pause(self.node, paused);
    }

    /// The process ended: nothing more is sent, nobody is answered.
    pub fn end(&self) {
        self.net.end(self.node);
    }

    /// From now on its tails are up to this far behind.
    pub fn lag(&self, lag_max: Duration) {
        self.net.lag(self.node, lag_max);
    }

    fn refuse<T: Send + 'static>(checked: Result<(), Error>) -> Option<Answer<T>> {
        Some(ready(Err(checked.err()?)).boxed())
    }

    /// Reads from what this node has seen go by, which needs no connection, or else asks.
    fn read_all(
        &self,
        app: &str,
        after: Position,
        entries_max: usize,
    ) -> Answer<Vec<(Position, Arc<Delivery>)>> {
        let (app, node) = (app.to_owned(), self.node);
        let own = self.net.with(|core| {
            let reached = core.tails.reached(node, &app, after.epoch)?;
            (after.offset <= reached).then(|| core.read(&app, after, Some(reached), entries_max))
        });
        match own {
            Some(page) => ready(page).boxed(),
            None => self.net.call(node, Lane::Reads, move |core| {
                core.read(&app, after, None, entries_max)
            }),
        }
    }
}

impl Backplane for Handle {
    fn append(&self, app: &str, entries: Vec<Arc<Delivery>>, key: Option<String>) -> Answer<Appended> {
        let checked = backplane::check_name("app", app)
            .and_then(|()| backplane::check_entries(entries.iter().map(|entry| &**entry)))
            .and_then(|()| {
                key.as_ref()
                    .map_or(Ok(()), |key| backplane::check_name("key", key))
            });
        if let Some(refused) = Self::refuse(checked) {
            return refused;
        }
        let app = app.to_owned();
        self.net
            .call(self.node, Lane::Log(partition_of(&app)), move |core| {
                Ok(core.append(&app, &entries, key.as_deref()))
            })
    }

    fn tail(&self, app: &str) -> Answer<Tail> {
        if let Some(refused) = Self::refuse(backplane::check_name("app", app)) {
            return refused;
        }
        let (net, node, app) = (self.net.clone(), self.node, app.to_owned());
        let asked = self.net.call(node, Lane::Reads, |_| Ok(()));
        Box::pin(async move {
            asked.await?;
            Ok(net.follow(node, &app))
        })
    }

    fn read(&self, app: &str, after: Position, entries_max: usize) -> Answer<Vec<(Position, Arc<Delivery>)>> {
        match Self::refuse(backplane::check_name("app", app)) {
            Some(refused) => refused,
            None => self.read_all(app, after, entries_max),
        }
    }

    fn head(&self, app: &str) -> Answer<Position> {
        if let Some(refused) = Self::refuse(backplane::check_name("app", app)) {
            return refused;
        }
        let app = app.to_owned();
        self.net
            .call(self.node, Lane::Reads, move |core| Ok(core.head(&app)))
    }

    fn retain(&self, app: &str, window: Window) -> Answer<()> {
        if let Some(refused) = Self::refuse(backplane::check_name("app", app)) {
            return refused;
        }
        let app = app.to_owned();
        self.net.call(self.node, Lane::Reads, move |core| {
            core.retain(&app, window);
            Ok(())
        })
    }

    fn publish(&self, topic: &str, payload: Bytes) -> Answer<()> {
        let checked = backplane::check_name("topic", topic).and_then(|()| backplane::check_payload(&payload));
        if let Some(refused) = Self::refuse(checked) {
            return refused;
        }
        if !self.net.is_connected(self.node) {
            return ready(Err(Error::Unavailable("not connected".into()))).boxed();
        }
        let topic = topic.to_owned();
        self.net.with(|core| {
            core.send(self.node, Lane::Topics, Duration::ZERO, move |core| {
                core.spread(&topic, &payload);
            });
        });
        ready(Ok(())).boxed()
    }

    fn subscribe(&self, topic: &str) -> Answer<BoxStream<'static, Bytes>> {
        if let Some(refused) = Self::refuse(backplane::check_name("topic", topic)) {
            return refused;
        }
        let (net, node, topic) = (self.net.clone(), self.node, topic.to_owned());
        let asked = self.net.call(node, Lane::Topics, |_| Ok(()));
        Box::pin(async move {
            asked.await?;
            Ok(net.listen(node, &topic))
        })
    }

    fn get(&self, bucket: &str, key: &str) -> Answer<Option<Value>> {
        let checked =
            backplane::check_name("bucket", bucket).and_then(|()| backplane::check_name("key", key));
        if let Some(refused) = Self::refuse(checked) {
            return refused;
        }
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.net
            .call(self.node, Lane::Values, move |core| Ok(core.get(&bucket, &key)))
    }

    fn write(&self, bucket: &str, changes: Vec<Change>) -> Answer<Vec<u64>> {
        let checked =
            backplane::check_name("bucket", bucket).and_then(|()| backplane::check_changes(&changes));
        if let Some(refused) = Self::refuse(checked) {
            return refused;
        }
        let (bucket, node) = (bucket.to_owned(), self.node);
        self.net.call(node, Lane::Values, move |core| {
            let written = core.write(&bucket, &changes);
            for change in changes.iter().filter(|_| bucket != LEASES) {
                tracing::info!(node = node + 1, %bucket, key = %change.key, condition = ?change.condition, ?written, "write");
            }
            written
        })
    }

    fn keys(&self, bucket: &str, prefix: &str, after: Option<&str>, keys_max: usize) -> Answer<Vec<String>> {
        let checked = backplane::check_name("bucket", bucket)
            .and_then(|()| backplane::check_bound("prefix", prefix))
            .and_then(|()| backplane::check_bound("after", after.unwrap_or_default()));
        if let Some(refused) = Self::refuse(checked) {
            return refused;
        }
        let (bucket, prefix, after) = (bucket.to_owned(), prefix.to_owned(), after.map(str::to_owned));
        self.net.call(self.node, Lane::Values, move |core| {
            Ok(core.keys(&bucket, &prefix, after.as_deref(), keys_max))
        })
    }

    fn put_blob(&self, blob: Bytes) -> Answer<String> {
        if let Some(refused) = Self::refuse(backplane::check_blob(&blob)) {
            return refused;
        }
        let digest = hex(&Sha256::digest(&blob));
        self.net.call(self.node, Lane::Reads, move |core| {
            core.blobs.insert(digest.clone(), blob.clone());
            Ok(digest.clone())
        })
    }

    fn get_blob(&self, digest: &str) -> Answer<Option<Bytes>> {
        if let Some(refused) = Self::refuse(backplane::check_digest(digest)) {
            return refused;
        }
        let digest = digest.to_owned();
        self.net.call(self.node, Lane::Reads, move |core| {
            Ok(core.blobs.get(&digest).cloned())
        })
    }

    fn delete_blob(&self, digest: &str) -> Answer<()> {
        if let Some(refused) = Self::refuse(backplane::check_digest(digest)) {
            return refused;
        }
        let digest = digest.to_owned();
        self.net.call(self.node, Lane::Reads, move |core| {
            core.blobs.remove(&digest);
            Ok(())
        })
    }

    fn is_connected(&self) -> bool {
        self.net.is_connected(self.node)
    }
}

/// A bucket that is written every other second by everybody.
const LEASES: &str = "nodes";

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}
