//! An app's timers: kept in its store, fired at least once, by the node that their name chooses.
//!
//! Every node has all of them in its queue; the store is right where a queue differs. Which apps have any is `book`'s.
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use backplane::Condition;
use bytes::{BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use router::Limit;
use runtime::{CommitError, TimerChange};
use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};

use crate::{logs::now_ms, store::Store};

/// The timers of one app, in memory in the order of their times. Shared by the node's cores.
pub(crate) struct Timers {
    app: Arc<str>,
    /// Held while a commit that changes timers is stored and then taken over here, so that both happen in one order.
    gate: tokio::sync::Mutex<()>,
    queue: Mutex<Queue>,
    /// Told when something became due earlier than all before.
    changed: Notify,
    /// Told the app's name when there is something in the queue and nobody fires it.
    began: mpsc::UnboundedSender<Arc<str>>,
    /// The store knows that this app has had timers.
    is_marked: AtomicBool,
}

#[derive(Default)]
struct Queue {
    by_time: BTreeSet<(u64, Arc<str>)>,
    by_name: HashMap<Arc<str>, u64>,
    /// Somebody waits in [`Timers::next`], or will.
    runs: bool,
}

/// A timer that was set, and when it is due, or cancelled.
pub(crate) type Changed = (Arc<str>, Option<u64>);

/// A timer that is due.
#[derive(Clone)]
pub(crate) struct Due {
    pub(crate) name: Arc<str>,
    pub(crate) payload: Bytes,
    revision: u64,
}

impl Due {
    /// The same if this setting of the timer fires again.
    pub(crate) fn id(&self) -> String {
        self.revision.to_string()
    }
}

/// Names may have this many bytes: the backplane takes keys of 512.
const NAME_BYTES_MAX: usize = 256;
const PAYLOAD_BYTES_MAX: usize = 16 * 1024;
/// Between two tries to read what cannot be read now.
const RETRY: Duration = Duration::from_secs(1);

impl Timers {
    /// None yet: see [`Self::reload`]. `began` hears of the app whenever [`Self::next`] is to be called.
    pub(crate) fn new(app: Arc<str>, began: mpsc::UnboundedSender<Arc<str>>) -> Self {
        Self {
            app,
            gate: tokio::sync::Mutex::default(),
            queue: Mutex::default(),
            changed: Notify::new(),
            began,
            is_marked: AtomicBool::new(false),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.lock().by_name.len()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.queue.lock().by_name.contains_key(name)
    }

    /// Stores what a call wrote: keys and timers, all or nothing.
    pub(crate) async fn commit(
        &self,
        store: &Store,
        mut changes: Vec<backplane::Change>,
        timers: Vec<TimerChange>,
        timers_max: usize,
    ) -> Result<(), CommitError> {
        if timers.is_empty() {
            return written(store.write(changes).await);
        }
        let _gate = self.gate.lock().await;
        let last = last_of_each(timers)?;
        self.check_room(&last, timers_max)?;
        self.mark(store, &last).await?;
        let now = now_ms();
        let mut queued = Vec::with_capacity(last.len());
        for change in last {
            let (name, due_ms, value) = match change {
                TimerChange::Set {
                    name,
                    delay_ms,
                    payload,
                } => {
                    let due_ms = now.saturating_add(delay_ms.into());
                    (name, Some(due_ms), Some(encode(due_ms, &payload)))
                }
                TimerChange::Cancel { name } => (name, None, None),
            };
            changes.push(Store::timer_change(&name, value, Condition::Always));
            queued.push((Arc::from(name), due_ms));
        }
        written(store.write(changes).await)?;
        self.take_in(&queued);
        // Other nodes that do not hear it read it within a minute.
        store.tell_timers(&queued).await;
        Ok(())
    }

    /// What a commit changed, here or on another node.
    pub(crate) fn take_in(&self, changes: &[Changed]) {
        let mut queue = self.queue.lock();
        for (name, due_ms) in changes {
            match due_ms {
                Some(due_ms) => queue.set(Arc::clone(name), *due_ms),
                None => queue.remove(name),
            }
        }
        self.wake(&mut queue);
    }

    /// Reads all timers anew: another node's may have become this one's to fire.
    pub(crate) async fn reload(&self, store: &Store) -> Result<(), backplane::Error> {
        let _gate = self.gate.lock().await;
        let loaded = Queue::load(store).await?;
        let mut queue = self.queue.lock();
        *queue = Queue {
            runs: queue.runs,
            ..loaded
        };
        self.wake(&mut queue);
        Ok(())
    }

    /// The app is gone, with what it kept.
    pub(crate) fn clear(&self) {
        let mut queue = self.queue.lock();
        (queue.by_time, queue.by_name) = (BTreeSet::new(), HashMap::new());
        self.wake(&mut queue);
    }

    fn wake(&self, queue: &mut Queue) {
        if queue.runs {
            self.changed.notify_one();
        } else if !queue.by_time.is_empty() {
            queue.runs = true;
            // Where the node is ending, nothing is fired any more.
            _ = self.began.send(Arc::clone(&self.app));
        }
    }

    /// Before an app's first timer: the next process looks for timers where it is told that there may be some.
    async fn mark(&self, store: &Store, changes: &[TimerChange]) -> Result<(), CommitError> {
        let sets = changes
            .iter()
            .any(|change| matches!(change, TimerChange::Set { .. }));
        if !sets || self.is_marked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let marked = store.mark_timers().await;
        marked.map_err(|error| CommitError::Failed(error.to_string()))?;
        self.is_marked.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn check_room(&self, changes: &[TimerChange], timers_max: usize) -> Result<(), CommitError> {
        let queue = self.queue.lock();
        let known = |name: &str| queue.by_name.contains_key(name);
        let added = changes
            .iter()
            .filter(|change| matches!(change, TimerChange::Set { name, .. } if !known(name)))
            .count();
        let removed = changes
            .iter()
            .filter(|change| matches!(change, TimerChange::Cancel { name } if known(name)))
            .count();
        if added > 0 && queue.by_name.len() + added > timers_max + removed {
            return Err(CommitError::Limit(Limit::Timers.describe(timers_max)));
        }
        Ok(())
    }

    /// Waits for the next timer that is due and for this node to fire, by its name. One caller at a time, who was told that
    /// there are some. `None`: there are none left, and somebody will be told when there are again.
    pub(crate) async fn next(&self, store: &Store, is_ours: impl Fn(&str) -> bool) -> Option<Due> {
        loop {
            let (due_ms, name) = self.queue.lock().first()?;
            let wait = due_ms.saturating_sub(now_ms());
            if wait > 0 {
                // Not longer than a minute at once: the wall clock may be set meanwhile.
                let wait = Duration::from_millis(wait.min(60_000));
                tokio::select! {
                    () = sleep(wait) => {}
                    () = self.changed.notified() => {}
                }
                continue;
            }
            if !is_ours(&name) {
                self.queue.lock().remove(&name);
                continue;
            }
            match store.timer(&name).await {
                Ok(value) => {
                    if let Some(due) = self.check(&name, value) {
                        return Some(due);
                    }
                }
                Err(error) => {
                    tracing::warn!(%name, %error, "a timer cannot be read; trying again");
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// The store is right where it and the queue differ.
    fn check(&self, name: &Arc<str>, value: Option<backplane::Value>) -> Option<Due> {
        let mut queue = self.queue.lock();
        let stored = value.and_then(|value| Some((decode(&value.bytes)?, value.revision)));
        let Some(((due_ms, payload), revision)) = stored else {
            queue.remove(name);
            return None;
        };
        if due_ms > now_ms() {
            queue.set(Arc::clone(name), due_ms);
            return None;
        }
        Some(Due {
            name: Arc::clone(name),
            payload,
            revision,
        })
    }

    /// The handler has run: forgets the timer, unless it was set anew meanwhile.
    pub(crate) async fn done(&self, store: &Store, due: &Due) {
        let _gate = self.gate.lock().await;
        let change = Store::timer_change(&due.name, None, Condition::Revision(due.revision));
        match store.write(vec![change]).await {
            Ok(_) => self.queue.lock().remove(&due.name),
            // Set anew or cancelled: the queue knows.
            Err(backplane::Error::Conflict { .. }) => {}
            Err(error) => {
                tracing::warn!(name = %due.name, %error, "a timer that ran cannot be forgotten; it will run again");
                sleep(RETRY).await;
            }
        }
    }
}

impl Queue {
    async fn load(store: &Store) -> Result<Self, backplane::Error> {
        let mut queue = Self::default();
        for name in store.timers().await? {
            if let Some((due_ms, _)) = store.timer(&name).await?.and_then(|value| decode(&value.bytes)) {
                queue.set(name.into(), due_ms);
            }
        }
        Ok(queue)
    }

    /// The first one due. Nobody runs it where there is none.
    fn first(&mut self) -> Option<(u64, Arc<str>)> {
        let first = self.by_time.first().cloned();
        self.runs = first.is_some();
        first
    }

    fn set(&mut self, name: Arc<str>, due_ms: u64) {
        self.remove(&name);
        self.by_time.insert((due_ms, Arc::clone(&name)));
        self.by_name.insert(name, due_ms);
    }

    fn remove(&mut self, name: &Arc<str>) {
        if let Some(due_ms) = self.by_name.remove(name) {
            self.by_time.remove(&(due_ms, Arc::clone(name)));
        }
    }
}

/// Of several changes of one timer the last counts; the backplane takes each key once.
fn last_of_each(timers: Vec<TimerChange>) -> Result<Vec<TimerChange>, CommitError> {
    let mut last: Vec<TimerChange> = Vec::with_capacity(timers.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(timers.len());
    for change in timers {
        let name = match &change {
            TimerChange::Set { name, payload, .. } if payload.len() > PAYLOAD_BYTES_MAX => {
                let bytes = payload.len();
                let text = format!(
                    "the payload of timer {name:?} has {bytes} bytes; at most {PAYLOAD_BYTES_MAX} are kept"
                );
                return Err(CommitError::Failed(text));
            }
            TimerChange::Set { name, .. } | TimerChange::Cancel { name } => name.clone(),
        };
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(CommitError::Failed(format!(
                "a timer's name has 1 to {NAME_BYTES_MAX} bytes, not {}",
                name.len()
            )));
        }
        if let Some(earlier) = places.get(&name).and_then(|place| last.get_mut(*place)) {
            *earlier = change;
        } else {
            places.insert(name, last.len());
            last.push(change);
        }
    }
    Ok(last)
}

fn written(outcome: Result<Vec<u64>, backplane::Error>) -> Result<(), CommitError> {
    match outcome {
        Ok(_) => Ok(()),
        Err(backplane::Error::Conflict { .. }) => Err(CommitError::Conflict),
        Err(error) => Err(CommitError::Failed(error.to_string())),
    }
}

/// Milliseconds since 1970 when it is due, then the payload.
fn encode(due_ms: u64, payload: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(8 + payload.len());
    bytes.put_u64(due_ms);
    bytes.put_slice(payload);
    bytes.freeze()
}

fn decode(bytes: &Bytes) -> Option<(u64, Bytes)> {
    let (due_ms, _) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*due_ms), bytes.slice(8..)))
}
