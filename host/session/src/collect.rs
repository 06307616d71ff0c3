//! An emit to many whose answers come back as one: each core that has some of the sockets gathers theirs and reports to
//! the core of the socket whose handler asked, which waits for every core of every node, and not longer than it was told.
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use router::{AckOutcome, Collected, ReplyTo};
use serde::{Deserialize, Serialize};
use socketio::EventData;

use crate::{
    Hub, Node,
    record::Home,
    socket::{Asker, Job, Phase},
    state::{SocketKey, State, Task},
    timers::TimerKey,
};

/// Bytes of answers that one emit may bring back: clients beyond count as missing.
const ANSWERS_BYTES_MAX: usize = 4 << 20;
/// What reports may take on their way, after the last client's time has passed.
const GRACE: Duration = Duration::from_secs(1);

/// What one core has gathered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    request: u64,
    /// Whose, and of how many cores that may have sockets of the app.
    incarnation: u64,
    cores: usize,
    answers: Vec<(Arc<str>, Answer)>,
    missing: Vec<Arc<str>>,
}

/// An event's data as it travels.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Answer {
    inner: bytes::Bytes,
    attachments: Vec<bytes::Bytes>,
}

/// At the core that asks.
pub(crate) struct Collecting {
    socket: SocketKey,
    token: Arc<str>,
    /// Nodes that have not reported whole: their names, and how many of their cores have.
    waiting: HashMap<u64, (String, usize)>,
    found: Collected,
    /// Of the answers in `found`, attachments included.
    answer_bytes: usize,
}

/// At a core that is asked.
pub(crate) struct Gathering {
    app: Arc<str>,
    reply_to: ReplyTo,
    waiting: Vec<Arc<str>>,
    answers: Vec<(Arc<str>, Answer)>,
    answer_bytes: usize,
    missing: Vec<Arc<str>>,
}

impl State {
    /// Expects reports for a new request from all nodes there are.
    pub(crate) fn expect_reports(
        &mut self,
        socket: SocketKey,
        token: Arc<str>,
        own: Node,
        others: &[Arc<Node>],
    ) -> u64 {
        self.requests += 1;
        let nodes = others
            .iter()
            .map(|node| (node.incarnation, (node.name.clone(), 0)));
        let mut waiting: HashMap<_, _> = nodes.collect();
        waiting.insert(own.incarnation, (own.name, 0));
        let collecting = Collecting {
            socket,
            token,
            waiting,
            found: Collected::default(),
            answer_bytes: 0,
        };
        self.collecting.insert(self.requests, collecting);
        self.requests
    }

    /// The time of a request that was accepted runs.
    pub(crate) fn arm_request(&mut self, request: u64, timeout_ms: u32, now: Instant) {
        let timeout = Duration::from_millis(timeout_ms.into());
        self.arm(now + timeout + GRACE, TimerKey::Collecting(request));
    }

    /// Asks this core's sockets that are meant and connected.
    pub(crate) fn gather(
        &mut self,
        app: &Arc<str>,
        (data, reply_to, timeout_ms): (&EventData, ReplyTo, u32),
        found: &[SocketKey],
        now: Instant,
    ) {
        self.requests += 1;
        let (gathering, timeout) = (self.requests, Duration::from_millis(timeout_ms.into()));
        let mut waiting = Vec::new();
        for key in found {
            if let Some(socket) = self
                .sockets
                .get(*key)
                .filter(|socket| matches!(socket.phase, Phase::Live { .. }))
            {
                waiting.push(socket.id.clone());
                self.ask(*key, data, Asker::Gathering(gathering), timeout, now);
            }
        }
        let gathered = Gathering {
            app: app.clone(),
            reply_to,
            waiting,
            answers: Vec::new(),
            answer_bytes: 0,
            missing: Vec::new(),
        };
        self.gathering.insert(gathering, gathered);
        self.arm(now + timeout, TimerKey::Gathering(gathering));
        self.report_if_whole(gathering);
    }

    /// One of the asked sockets has answered.
    pub(crate) fn gathered(&mut self, gathering: u64, id: &Arc<str>, data: &EventData) {
        let Some(gathered) = self.gathering.get_mut(&gathering) else {
            return;
        };
        gathered.waiting.retain(|waiting| waiting != id);
        let answer = Answer {
            inner: data.inner().clone(),
            attachments: data.attachments().to_vec(),
        };
        gathered.answer_bytes += answer.bytes();
        if gathered.answer_bytes > ANSWERS_BYTES_MAX {
            gathered.missing.push(id.clone());
        } else {
            gathered.answers.push((id.clone(), answer));
        }
        self.report_if_whole(gathering);
    }

    /// Time is up: who has not answered is missing.
    pub(crate) fn stop_gathering(&mut self, gathering: u64) {
        if let Some(gathered) = self.gathering.get_mut(&gathering) {
            gathered.missing.append(&mut gathered.waiting);
        }
        self.report_if_whole(gathering);
    }

    fn report_if_whole(&mut self, gathering: u64) {
        if self
            .gathering
            .get(&gathering)
            .is_none_or(|gathered| !gathered.waiting.is_empty())
        {
            return;
        }
        if let Some(gathered) = self.gathering.remove(&gathering) {
            let report = Report {
                request: gathered.reply_to.request,
                answers: gathered.answers,
                missing: gathered.missing,
                ..Report::default()
            };
            self.tasks.push(Task::Report {
                app: gathered.app,
                reply_to: gathered.reply_to,
                report: Box::new(report),
            });
        }
    }

    /// A core has reported.
    pub(crate) fn collect(&mut self, report: Report) {
        let Some(collecting) = self.collecting.get_mut(&report.request) else {
            return;
        };
        let found = &mut collecting.found;
        for (id, answer) in report.answers {
            let held = collecting.answer_bytes + answer.bytes();
            if held > ANSWERS_BYTES_MAX {
                found.missing.push(id);
                continue;
            }
            collecting.answer_bytes = held;
            let data = EventData::from_inner(answer.inner, answer.attachments);
            found.answers.push((id, data));
        }
        found.missing.extend(report.missing);
        if let Some((_, reported)) = collecting.waiting.get_mut(&report.incarnation) {
            *reported += 1;
            if *reported >= report.cores {
                collecting.waiting.remove(&report.incarnation);
            }
        }
        if collecting.waiting.is_empty() {
            self.conclude_request(report.request);
        }
    }

    /// Gives the handler what there is: everything, or time is up, and nodes that did not report are named.
    pub(crate) fn conclude_request(&mut self, request: u64) {
        let Some(mut collecting) = self.collecting.remove(&request) else {
            return;
        };
        let silent = collecting.waiting.into_values().map(|(name, _)| name);
        collecting.found.partial = silent.collect();
        let outcome = AckOutcome::Collected(collecting.found);
        let token = collecting.token;
        self.enqueue(collecting.socket, Job::Ack { token, outcome });
    }
}

impl Hub {
    /// Brings a report to the core that asked. If that is gone, so is whoever wanted to know.
    pub(crate) async fn report(self, app: Arc<str>, reply_to: ReplyTo, mut report: Report) {
        let (shards, own) = (&self.0.shards, self.0.home.incarnation);
        (report.incarnation, report.cores) = (own, shards.lines_open(&app));
        let home = Home {
            incarnation: reply_to.incarnation,
            shard: reply_to.shard,
        };
        if home == self.0.home {
            self.with(|state, _| state.collect(report));
        } else if home.incarnation == own {
            shards.run(home.shard, deliver(report));
        } else if let Ok(Some(node)) = shards.nodes().find(home.incarnation).await
            && let Err(error) = shards.report_there(node, home.shard, report).await
        {
            tracing::debug!(%error, "answers did not reach the node that asked");
        }
    }
}

/// What a core does with another's report.
pub(crate) fn deliver(report: Report) -> crate::Work {
    Box::new(move |hub| {
        hub.with(|state, _| state.collect(report));
        Box::pin(std::future::ready(()))
    })
}

impl Answer {
    fn bytes(&self) -> usize {
        self.inner.len() + self.attachments.iter().map(bytes::Bytes::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
