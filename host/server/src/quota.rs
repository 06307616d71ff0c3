//! What one app uses of this node, and what the core that runs it is shared by.
mod usage;

use std::{cell::RefCell, sync::Arc};

use router::{Hits, Target};
use runtime::{Fair, Lanes, Worker};
use session::Hub;

pub(crate) use usage::{Amount, Most, Usage};

/// One app's counters and buckets on this node. They outlive its versions.
pub(crate) struct Quotas {
    hits: Arc<Hits>,
    /// What clients send and are sent.
    pub(crate) clients: Arc<session::Quota>,
    /// What handlers use.
    pub(crate) code: Arc<runtime::Quota>,
    /// What the key-value store holds.
    pub(crate) kept: Usage,
}

impl Default for Quotas {
    fn default() -> Self {
        let hits = Arc::new(Hits::default());
        Self {
            clients: Arc::new(session::Quota::new(Arc::clone(&hits))),
            code: Arc::new(runtime::Quota::new(Arc::clone(&hits))),
            kept: Usage::default(),
            hits,
        }
    }
}

impl Quotas {
    /// Keys and bytes that the key-value store holds, if they have been counted.
    pub(crate) fn held(&self) -> Option<(u64, u64)> {
        let held = self.kept.held()?;
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        Some((count(held.keys), count(held.bytes)))
    }

    /// How often each limit was hit.
    pub(crate) fn hits(&self) -> &Hits {
        &self.hits
    }
}

/// What a core's thread has for all apps: made when it starts to serve, gone when it ends.
struct OnCore {
    fair: Fair,
    hub: Hub,
}

thread_local! {
    /// One core is one thread. Borrowed only to ask.
    static CORE: RefCell<Option<OnCore>> = const { RefCell::new(None) };
}

/// Forgets the thread's core when dropped, while its runtime is still there.
pub(crate) struct CoreGuard(());

/// This thread is a core from now on. `instances_max`: of all apps on it together. `lanes`: the node's.
pub(crate) fn begin_core(hub: Hub, instances_max: usize, lanes: &Lanes) -> CoreGuard {
    let fair = Fair::new(instances_max, lanes);
    CORE.set(Some(OnCore { fair, hub }));
    CoreGuard(())
}

impl Drop for CoreGuard {
    fn drop(&mut self) {
        drop(CORE.take());
    }
}

/// A worker that shares this thread's core with those of other apps.
pub(crate) fn worker(
    source: std::rc::Rc<dyn runtime::Source>,
    host: Arc<dyn runtime::Host>,
    limits: runtime::Limits,
    quotas: &Quotas,
) -> Worker {
    CORE.with_borrow(|core| match core {
        Some(core) => Worker::sharing(source, host, limits, &core.fair, &quotas.code),
        None => Worker::new(source, host, limits),
    })
}

/// How many sockets of this node an emit reaches; none where the thread is no core.
pub(crate) fn reach(app: &Arc<str>, target: &Target) -> usize {
    CORE.with_borrow(|core| core.as_ref().map_or(0, |core| core.hub.fan_out(app, target)))
}
