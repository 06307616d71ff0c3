//! Which apps a process has had sockets of: written down before the first of them, so that whoever comes after a process
//! that died knows whose sockets may have lost their home, however many apps there are.
use std::sync::Arc;

use backplane::{Backplane, Change, Condition, Error};
use bytes::Bytes;

use crate::{Hub, Shards};

/// Keys: a process, 9 hex digits, then the app.
const BUCKET: &str = "homes";
/// Keys listed at once.
const PAGE: usize = 1_000;

/// An app of which a process that lives no more may have left sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    pub app: Arc<str>,
    incarnation: u64,
}

impl Shards {
    /// What processes that do not live left behind. Asks the backplane for each of them.
    pub async fn left_behind(&self, backplane: &dyn Backplane) -> Result<Vec<LeftBehind>, Error> {
        let (mut left, mut after) = (Vec::new(), None::<String>);
        loop {
            let keys = backplane.keys(BUCKET, "", after.as_deref(), PAGE).await?;
            for key in &keys {
                let Some(found) = parse(key) else { continue };
                let home = found.incarnation;
                if home != self.nodes().incarnation() && self.nodes().find(home).await?.is_none() {
                    left.push(found);
                }
            }
            if keys.len() < PAGE {
                return Ok(left);
            }
            after = keys.into_iter().next_back();
        }
    }

    /// It has been taken over: every node that is to take some of the sockets has opened the app's line.
    pub async fn taken_over(&self, backplane: &dyn Backplane, left: &LeftBehind) -> Result<(), Error> {
        let change = Change {
            key: key(left.incarnation, &left.app),
            value: None,
            condition: Condition::Always,
        };
        backplane.write(BUCKET, vec![change]).await.map(drop)
    }
}

impl LeftBehind {
    /// What one node is chosen by to say that it has been taken over.
    pub fn task(&self) -> String {
        key(self.incarnation, &self.app)
    }
}

impl Hub {
    /// Says that this process may have sockets of an app; once for each.
    pub(crate) async fn mark_home(&self, app: &Arc<str>) -> Result<(), Error> {
        if self.0.shards.is_marked(app) {
            return Ok(());
        }
        let change = Change {
            key: key(self.0.home.incarnation, app),
            value: Some(Bytes::from_static(b"1")),
            condition: Condition::Always,
        };
        self.0.backplane.write(BUCKET, vec![change]).await?;
        self.0.shards.mark(app);
        Ok(())
    }
}

fn key(incarnation: u64, app: &str) -> String {
    format!("{incarnation:09x}/{app}")
}

fn parse(key: &str) -> Option<LeftBehind> {
    let (incarnation, app) = key.split_once('/')?;
    Some(LeftBehind {
        app: app.into(),
        incarnation: u64::from_str_radix(incarnation, 16).ok()?,
    })
}
