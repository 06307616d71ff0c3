use std::collections::HashSet;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::reply::{self, Denied};

/// Bounds what uploads hold in memory, and keeps one app from taking all of it.
pub(super) struct Uploads {
    permits: Semaphore,
    /// Apps that are at it.
    apps: Mutex<HashSet<String>>,
}

/// One upload under way. Ends it when dropped.
pub(super) struct Upload<'a> {
    _place: Place<'a>,
    _permit: SemaphorePermit<'a>,
}

struct Place<'a> {
    uploads: &'a Uploads,
    app: String,
}

/// Bodies of 64 MiB at once.
const AT_ONCE: usize = 4;

impl Default for Uploads {
    fn default() -> Self {
        Self {
            permits: Semaphore::new(AT_ONCE),
            apps: Mutex::default(),
        }
    }
}

impl Uploads {
    /// Waits for its turn. A client that asks first (`Expect: 100-continue`) sends its body when it is read, not before.
    pub(super) async fn begin(&self, app: &str) -> Result<Upload<'_>, Denied> {
        if !self.apps.lock().insert(app.to_owned()) {
            return Err(reply::too_many("another upload of this app is under way"));
        }
        // Whoever goes away while it waits has no place any more.
        let place = Place {
            uploads: self,
            app: app.to_owned(),
        };
        let permit = self.permits.acquire().await;
        Ok(Upload {
            _place: place,
            _permit: permit.map_err(|_| reply::too_many("the node is ending"))?,
        })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.uploads.apps.lock().remove(&self.app);
    }
}
