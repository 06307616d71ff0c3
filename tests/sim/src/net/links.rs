//! Nodes' connections: cut, mended, paused and ended from outside.
use std::{
    collections::HashMap,
    time::{Duration, Instant as Point},
};

use super::{Core, Event, Net, faults::up_to, now};

/// Messages of one lane keep their order; lanes overtake each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    Log(usize),
    Values,
    Reads,
    Topics,
    /// Answers to each.
    Back(&'static str),
}

#[derive(Default)]
pub(super) struct NodeLink {
    /// The process ended: whatever it still meant to do, it does not.
    pub(super) dead: bool,
    /// The process is stopped: it sends nothing; what it had sent goes on.
    pub(super) paused: bool,
    pub(super) cut: bool,
    /// Counts cuts: what was on its way over the connection before is lost with it.
    pub(super) connection: u64,
    /// Waits for the connection, or for the process to go on.
    pub(super) waiting: Vec<Event>,
    /// How far behind its tails are, beside the delay of messages.
    pub(super) lag_max: Duration,
    lanes: HashMap<Lane, Point>,
}

impl Net {
    /// Cuts a node off. Tails stop where they are; calls wait, and end when their time is over.
    pub(super) fn cut(&self, node: usize) {
        self.with(|core| {
            core.nodes[node].cut = true;
            core.nodes[node].connection += 1;
        });
    }

    pub(super) fn mend(&self, node: usize) {
        self.with(|core| {
            core.nodes[node].cut = false;
            core.go_on(node);
        });
    }

    pub(super) fn pause(&self, node: usize, paused: bool) {
        self.with(|core| {
            core.nodes[node].paused = paused;
            if !paused {
                core.go_on(node);
            }
        });
    }

    pub(super) fn end(&self, node: usize) {
        self.with(|core| {
            core.nodes[node].dead = true;
            core.nodes[node].waiting.clear();
            core.tails.end(node);
        });
    }

    pub(super) fn lag(&self, node: usize, lag_max: Duration) {
        self.with(|core| core.nodes[node].lag_max = lag_max);
    }

    pub(super) fn is_connected(&self, node: usize) -> bool {
        let core = self.0.core.lock();
        !core.nodes[node].cut && core.held.is_none()
    }
}

impl Core {
    fn go_on(&mut self, node: usize) {
        for event in std::mem::take(&mut self.nodes[node].waiting) {
            event(self);
        }
        self.schedule_tails_of(node);
    }

    /// Plans a message's arrival, behind those sent before it on the same lane.
    pub(super) fn send(
        &mut self,
        node: usize,
        lane: Lane,
        extra: Duration,
        event: impl FnOnce(&mut Self) + Send + 'static,
    ) {
        let delay = self.faults.delay(&mut self.random) + extra;
        let link = &mut self.nodes[node];
        let last = link.lanes.entry(lane).or_insert_with(now);
        *last = (*last).max(now() + delay);
        let due = *last;
        self.at(due, event);
    }

    /// How long an entry of a log takes to a node.
    pub(super) fn tail_delay(&mut self, node: usize) -> Duration {
        self.faults.delay(&mut self.random) + up_to(self.nodes[node].lag_max, &mut self.random)
    }
}
