use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use backplane::Error;
use parking_lot::Mutex;
use router::Epoch;
use tokio::{
    sync::{OnceCell, oneshot, watch},
    time::timeout,
};

use super::{app::App, epoch::Found, frame::end_of};

/// One stream of logs, and how far this node has read it.
pub(super) struct Partition {
    pub(super) number: u16,
    pub(super) stream: String,
    /// Set when the reader runs: once some app of the partition is opened.
    pub(super) started: OnceCell<()>,
    state: Mutex<State>,
    /// When the stream that is read was made, in nanoseconds since 1970.
    created_ns: Mutex<i128>,
    /// What `state` has, for those who wait for it.
    reached: watch::Sender<Reached>,
    /// What this node has sent and waits to read, by the number of its writing.
    awaited: Mutex<HashMap<u64, oneshot::Sender<Reached>>>,
    /// Since when the reader has waited for a full tail.
    pub(super) stalled: Mutex<Option<Instant>>,
}

struct State {
    reached: Reached,
    /// By subject. An app that was opened stays.
    apps: HashMap<String, Arc<App>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) epoch: Epoch,
    pub(super) sequence: u64,
}

/// What came of handing over a message.
pub(super) enum Handed {
    Done,
    /// Entries before it were missed.
    AfterGap,
    /// The app was opened meanwhile: its entries are wanted.
    Wanted,
}

impl Partition {
    pub(super) fn new(number: u16, stream: String, found: &Found) -> Self {
        let reached = Reached {
            epoch: found.epoch,
            sequence: 0,
        };
        Self {
            number,
            stream,
            started: OnceCell::new(),
            state: Mutex::new(State {
                reached,
                apps: HashMap::new(),
            }),
            created_ns: Mutex::new(found.created_ns),
            reached: watch::Sender::new(reached),
            awaited: Mutex::default(),
            stalled: Mutex::new(None),
        }
    }

    pub(super) fn reached(&self) -> Reached {
        self.state.lock().reached
    }

    /// Whether the stream is another one than when this was last asked: then all that is in it is new.
    pub(super) fn is_made_anew(&self, found: &Found) -> bool {
        std::mem::replace(&mut *self.created_ns.lock(), found.created_ns) != found.created_ns
    }

    pub(super) fn apps(&self) -> Vec<Arc<App>> {
        self.state.lock().apps.values().cloned().collect()
    }

    pub(super) fn app(&self, subject: &str) -> Option<Arc<App>> {
        self.state.lock().apps.get(subject).cloned()
    }

    /// From where the reader is now on, the app's entries are kept.
    pub(super) fn begin(&self, app: &Arc<App>) -> (u64, u64) {
        let mut state = self.state.lock();
        state.apps.insert(app.subject.clone(), Arc::clone(app));
        let Reached { epoch, sequence } = state.reached;
        (sequence, app.begin(epoch, end_of(sequence)))
    }

    /// Before any app is opened.
    pub(super) fn start_at(&self, reached: Reached) {
        let mut state = self.state.lock();
        assert!(state.apps.is_empty(), "started before it is opened");
        state.reached = reached;
        self.reached.send_replace(reached);
    }

    /// Everything up to there was missed, or is of a log that is no more.
    pub(super) fn gap(&self, reached: Reached) {
        let mut state = self.state.lock();
        state.gap(reached);
        self.reached.send_replace(reached);
    }

    /// The next message's entries: under one lock with the cursor, so that an app that is opened has all that follow.
    pub(super) fn hand_over(
        &self,
        message: &crate::feed::FedMessage,
        deliveries: Option<&[Option<Arc<router::Delivery>>]>,
    ) -> Handed {
        let mut state = self.state.lock();
        let Reached { epoch, sequence } = state.reached;
        if message.sequence <= sequence {
            return Handed::Done;
        }
        let missed = message.sequence > sequence + 1;
        if missed {
            state.gap(Reached {
                epoch,
                sequence: message.sequence - 1,
            });
        }
        match (state.apps.get(&message.subject), deliveries) {
            (Some(app), Some(deliveries)) => app.push(message, deliveries),
            (Some(_), None) => return Handed::Wanted,
            (None, _) => {}
        }
        state.reached.sequence = message.sequence;
        self.reached.send_replace(state.reached);
        if missed { Handed::AfterGap } else { Handed::Done }
    }

    /// What is sent next with that number is waited for.
    pub(super) fn await_own(&self, write: u64) -> Awaited<'_> {
        let (sender, place) = oneshot::channel();
        self.awaited.lock().insert(write, sender);
        Awaited {
            partition: self,
            write,
            place,
        }
    }

    /// The reader has come to a message of that number.
    pub(super) fn found(&self, write: u64, sequence: u64) {
        let Some(waiting) = self.awaited.lock().remove(&write) else {
            return;
        };
        let epoch = self.reached().epoch;
        // Who waited may have given up.
        _ = waiting.send(Reached { epoch, sequence });
    }

    /// Until the log is another one than `epoch`; which.
    pub(super) async fn until_another(&self, epoch: Epoch, most: Duration) -> Result<Reached, Error> {
        let mut reached = self.reached.subscribe();
        let another = reached.wait_for(|reached| reached.epoch != epoch);
        match timeout(most, another).await {
            Ok(Ok(reached)) => Ok(*reached),
            Ok(Err(_)) => Err(crate::link::closed()),
            Err(_) => Err(Error::Unavailable("it is not known yet which log this is".into())),
        }
    }

    /// Until this node has read that message, or the log is another one.
    pub(super) async fn until(&self, sequence: u64, most: Duration) -> Result<(), Error> {
        let mut reached = self.reached.subscribe();
        let epoch = reached.borrow().epoch;
        let there = reached.wait_for(|reached| reached.sequence >= sequence || reached.epoch != epoch);
        match timeout(most, there).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(crate::link::closed()),
            Err(_) => Err(Error::Unavailable(
                "this node is behind in reading the log".into(),
            )),
        }
    }
}

/// A message of our own that is on its way. Dropping it ends the waiting.
pub(super) struct Awaited<'a> {
    partition: &'a Partition,
    write: u64,
    place: oneshot::Receiver<Reached>,
}

impl Awaited<'_> {
    /// Where it was read; `None` if it was not in time.
    pub(super) async fn read(mut self, most: Duration) -> Option<Reached> {
        timeout(most, &mut self.place).await.ok()?.ok()
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.partition.awaited.lock().remove(&self.write);
    }
}

impl State {
    fn gap(&mut self, reached: Reached) {
        self.reached = reached;
        for app in self.apps.values() {
            app.gap(reached.epoch, reached.sequence);
        }
    }
}
