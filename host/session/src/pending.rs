//! What is under way for a socket: what its handler is still to be called for, and who waits for what.
use std::time::Instant;

use compact::Few;
use engineio::Outputs;
use router::AckOutcome;
use tokio::sync::oneshot;

use crate::socket::{Asked, Asker, Job};

/// One word while nothing is under way, which is nearly always.
#[derive(Default)]
pub(crate) struct Pending(Option<Box<Work>>);

#[derive(Default)]
struct Work {
    /// Events whose handler has not begun.
    jobs: Outputs<Job>,
    /// Client's acks that no handler has answered yet.
    unanswered: Few<u64>,
    /// Our emits that wait for the client's ack.
    asked: Vec<Asked>,
    /// Told when `jobs` is empty and nothing runs. For a take-over.
    idle: Option<oneshot::Sender<()>>,
    /// Told when the record that is being written is stored.
    saving: Vec<oneshot::Sender<()>>,
}

impl Pending {
    pub(crate) fn push_job(&mut self, job: Job) {
        self.work().jobs.push(job);
    }

    pub(crate) fn pop_job(&mut self) -> Option<Job> {
        self.0.as_mut()?.jobs.pop()
    }

    pub(crate) fn jobs(&self) -> usize {
        self.0.as_ref().map_or(0, |work| work.jobs.len())
    }

    /// A client waits for an answer. The oldest of too many is given up: an app that never answers must not let a client
    /// grow without bound.
    pub(crate) fn expect_answer(&mut self, ack: u64) {
        let unanswered = &mut self.work().unanswered;
        if unanswered.len() >= UNANSWERED_MAX {
            unanswered.remove(0);
        }
        unanswered.push(ack);
    }

    /// An answer is given. False if nobody waits for it.
    pub(crate) fn take_answer(&mut self, ack: u64) -> bool {
        let Some(work) = &mut self.0 else { return false };
        let place = work.unanswered.iter().position(|waiting| *waiting == ack);
        place.and_then(|place| work.unanswered.remove(place)).is_some()
    }

    /// The client that waited is gone.
    pub(crate) fn forget_answers(&mut self) {
        if let Some(work) = &mut self.0 {
            work.unanswered = Few::new();
        }
    }

    pub(crate) fn ask(&mut self, asked: Asked) {
        self.work().asked.push(asked);
    }

    /// Takes the emit that a client answers.
    pub(crate) fn take_asked(&mut self, id: u64) -> Option<Asked> {
        let asked = &mut self.0.as_mut()?.asked;
        let place = asked.iter().position(|asked| asked.id == id)?;
        Some(asked.swap_remove(place))
    }

    /// When the first answer must have come.
    pub(crate) fn asked_until(&self) -> Option<Instant> {
        self.0.as_ref()?.asked.iter().map(|asked| asked.due).min()
    }

    /// Gives up the answers that did not come in time. A gathering has its own clock.
    pub(crate) fn give_up_asked(&mut self, now: Instant) -> Vec<Job> {
        let mut late = Vec::new();
        let Some(work) = &mut self.0 else { return late };
        work.asked.retain(|asked| {
            let over = asked.due <= now;
            if let (true, Asker::Handler(token)) = (over, &asked.asker) {
                late.push(Job::Ack {
                    token: token.clone(),
                    outcome: AckOutcome::TimedOut,
                });
            }
            !over
        });
        late
    }

    pub(crate) fn wait_for_idle(&mut self, idle: oneshot::Sender<()>) {
        self.work().idle = Some(idle);
    }

    pub(crate) fn wait_for_save(&mut self, saved: oneshot::Sender<()>) {
        self.work().saving.push(saved);
    }

    pub(crate) fn saved(&mut self) {
        if let Some(work) = &mut self.0 {
            // Whoever waited may have given up, here and below.
            work.saving.drain(..).for_each(|waiting| _ = waiting.send(()));
        }
        self.tidy();
    }

    /// No job is left, and nothing runs.
    pub(crate) fn rest(&mut self) {
        if let Some(idle) = self.0.as_mut().and_then(|work| work.idle.take()) {
            _ = idle.send(());
        }
        self.tidy();
    }

    fn work(&mut self) -> &mut Work {
        self.0.get_or_insert_default()
    }

    /// Holds nothing if there is nothing.
    fn tidy(&mut self) {
        let Some(work) = &self.0 else { return };
        if work.jobs.is_empty()
            && work.unanswered.is_empty()
            && work.asked.is_empty()
            && work.idle.is_none()
            && work.saving.is_empty()
        {
            self.0 = None;
        }
    }
}

/// Acks that a client may wait for at once: 8 KiB a socket.
const UNANSWERED_MAX: usize = 1024;
