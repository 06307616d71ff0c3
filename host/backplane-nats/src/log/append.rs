use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use backplane::{APPEND_ENTRIES_MAX, Appended, Error};
use bytes::Bytes;
use parking_lot::Mutex;
use router::Epoch;
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::Instant,
};

use super::{
    Logs,
    app::App,
    content,
    frame::{self, Parts, offset},
    open,
    partition::{Partition, Reached},
};
use crate::{
    hedge::OVERDUE,
    link::{DEADLINE, Outgoing, Stored},
    names::{random, token},
    stats::count,
};

/// Appends of one app on their way. A few messages are in flight; what comes meanwhile goes together in the next.
#[derive(Default)]
pub(super) struct Appender {
    waiting: Mutex<Waiting>,
    /// The last message of this app that this node stored; 0: none of this epoch.
    accepted: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Tasks that take from `jobs`; each ends when there are none.
    flights: usize,
}

/// One call.
pub(super) struct Job {
    pub(super) entries: Vec<Bytes>,
    pub(super) bytes: usize,
    pub(super) key: Option<String>,
    pub(super) answer: oneshot::Sender<Result<Appended, Error>>,
    pub(super) deadline: Instant,
    /// Its share of what all appends may hold in memory.
    pub(super) _budget: OwnedSemaphorePermit,
}

impl Appender {
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// What was stored is lost, or need not be waited for.
    pub(super) fn forget(&self) {
        self.accepted.store(0, Relaxed);
    }

    /// Whether the caller is to start another flight.
    pub(super) fn push(&self, job: Job) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.jobs.push_back(job);
        let starts = waiting.flights < FLIGHTS_MAX;
        waiting.flights += usize::from(starts);
        starts
    }

    /// A flight ends before there was nothing left to take: its runtime is gone. Without any, nothing is ever sent.
    fn crash(&self) {
        let mut waiting = self.waiting.lock();
        waiting.flights -= 1;
        if waiting.flights == 0 {
            waiting.jobs.clear();
        }
    }

    /// What goes in the next message: one call, or several that have no key. Empty: the flight is over.
    fn take(&self) -> Vec<Job> {
        let mut waiting = self.waiting.lock();
        let mut taken = Vec::new();
        let (mut entries, mut bytes) = (0, 0);
        while let Some(next) = waiting.jobs.front() {
            entries += next.entries.len();
            bytes += next.bytes;
            let joins = taken.is_empty()
                || next.key.is_none() && entries <= APPEND_ENTRIES_MAX && bytes <= TOGETHER_BYTES_MAX;
            if !joins {
                break;
            }
            let alone = next.key.is_some();
            taken.extend(waiting.jobs.pop_front());
            if alone {
                break;
            }
        }
        if taken.is_empty() {
            waiting.flights -= 1;
        }
        taken
    }
}

/// One of an app's flights, as [`Appender::push`] asks for it.
pub(super) struct Flight {
    pub(super) app: Arc<App>,
    pub(super) landed: bool,
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.landed {
            self.app.appender.crash();
        }
    }
}

/// Sends what waits until nothing does.
pub(super) async fn fly(logs: Arc<Logs>, mut flight: Flight) {
    let app = Arc::clone(&flight.app);
    loop {
        let (jobs, late): (Vec<Job>, Vec<Job>) = {
            let taken = app.appender.take();
            if taken.is_empty() {
                flight.landed = true;
                return;
            }
            let now = Instant::now();
            taken.into_iter().partition(|job| job.deadline > now)
        };
        for job in late {
            let error = Error::Unavailable("no answer to earlier appends in time".into());
            drop(job.answer.send(Err(error)));
        }
        if !jobs.is_empty() {
            send(&logs, &app, jobs).await;
        }
    }
}

async fn send(logs: &Arc<Logs>, app: &App, jobs: Vec<Job>) {
    let entries: Vec<Bytes> = jobs.iter().flat_map(|job| job.entries.iter().cloned()).collect();
    let key = jobs.first().and_then(|job| job.key.clone());
    let write = random();
    let stored = match store_in(logs, app, write, key.as_deref(), &entries).await {
        Ok(stored) => stored,
        Err(error) => {
            for job in jobs {
                drop(job.answer.send(Err(error.clone())));
            }
            return;
        }
    };
    let (epoch, stored) = stored;
    let first_call = if stored.duplicate && key.is_some() {
        first_call(logs, app, stored.sequence, write).await
    } else {
        None
    };
    app.appender.accepted.fetch_max(stored.sequence, Relaxed);
    let mut index = 0;
    for job in jobs {
        let entries = first_call.unwrap_or(job.entries.len());
        let offsets = (index..index + entries)
            .map(|index| offset(stored.sequence, index))
            .collect();
        index += entries;
        count(&logs.link.counters.appends);
        let appended = Appended {
            epoch,
            offsets,
            duplicate: first_call.is_some(),
        };
        drop(job.answer.send(Ok(appended)));
    }
}

/// Stores them and says in which log. Sequences only grow within one: a message that comes before what is known was
/// stored in a log made anew, which the reader is about to find out.
async fn store_in(
    logs: &Arc<Logs>,
    app: &App,
    write: u64,
    key: Option<&str>,
    entries: &[Bytes],
) -> Result<(Epoch, Stored), Error> {
    let partition = logs.partition(app);
    if key.is_none()
        && app.opened.initialized()
        && let Some(read) = read_back(logs, app, &partition, write, entries).await
    {
        return Ok(read);
    }
    let before = partition.reached();
    let known = before.sequence.max(app.appender.accepted());
    let stored = store(logs, app, write, key, entries).await?;
    if partition.reached().epoch == before.epoch && (stored.duplicate || stored.sequence > known) {
        return Ok((before.epoch, stored));
    }
    partition
        .started
        .get_or_try_init(|| open::start(logs, &partition))
        .await?;
    let now = partition.until_another(before.epoch, DEADLINE).await?;
    // It may have been stored in the old one all the same, and be lost with it.
    let found = content::message(&logs.link, &partition.stream, stored.sequence).await?;
    let is_in = found
        .and_then(|payload| frame::summary(&payload))
        .is_some_and(|(_, found)| found == write);
    Ok((if is_in { now.epoch } else { before.epoch }, stored))
}

/// Sends them and waits until this node reads them: what is read has been stored, and where. So nobody has to
/// acknowledge it, which would wake a thread more here and keep the server busy. `None`: it was not read in time, and is
/// sent again as what was not answered.
async fn read_back(
    logs: &Logs,
    app: &App,
    partition: &Partition,
    write: u64,
    entries: &[Bytes],
) -> Option<(Epoch, Stored)> {
    if frame::size(&app.name, entries) > logs.link.payload_max() {
        return None;
    }
    let message = Outgoing {
        subject: app.subject.clone(),
        payload: frame::entries(&app.name, write, entries),
        id: format!("{write:016x}"),
        expected: None,
    };
    let Ok(_permit) = logs.unread.acquire().await else {
        return None;
    };
    let awaited = partition.await_own(write);
    let in_flight = &logs.link.counters.in_flight;
    in_flight.fetch_add(1, Relaxed);
    let read = if logs.link.send(&message).await {
        awaited.read(OVERDUE).await
    } else {
        None
    };
    in_flight.fetch_sub(1, Relaxed);
    if read.is_none() {
        count(&logs.link.counters.retries);
    }
    let Reached { epoch, sequence } = read?;
    let stored = Stored {
        sequence,
        duplicate: false,
        retried: false,
    };
    Some((epoch, stored))
}

async fn store(
    logs: &Logs,
    app: &App,
    write: u64,
    key: Option<&str>,
    entries: &[Bytes],
) -> Result<Stored, Error> {
    let deadline = Instant::now() + DEADLINE;
    let payload_max = logs.link.payload_max();
    let mut payload = frame::entries(&app.name, write, entries);
    if payload.len() > payload_max {
        let mut sequences = Vec::new();
        for (number, piece) in payload.chunks(payload_max).enumerate() {
            let part = Outgoing {
                subject: app.subject.clone(),
                payload: frame::part(piece),
                id: format!("{write:016x}.{number}"),
                expected: None,
            };
            sequences.push(logs.link.publish(&part, deadline).await?.sequence);
        }
        payload = frame::parts(&Parts {
            app: app.name.clone(),
            write,
            entries: entries.len() as u32,
            bytes: payload.len() as u64,
            sequences,
        });
    }
    let message = Outgoing {
        subject: app.subject.clone(),
        payload,
        // A key is its app's own, and no other sending's id looks like it.
        id: key.map_or_else(
            || format!("{write:016x}"),
            |key| format!("k.{}.{}", token(&app.name), token(key)),
        ),
        expected: None,
    };
    Ok(logs.link.publish(&message, deadline).await?)
}

/// The server has a message of this key: how many entries the first call had, or `None` if that was this very one,
/// whose answer got lost.
async fn first_call(logs: &Logs, app: &App, sequence: u64, write: u64) -> Option<usize> {
    let stream = logs.link.names.log_stream(app.partition);
    let found = content::message(&logs.link, &stream, sequence).await;
    let summary = found.ok().flatten().and_then(|payload| frame::summary(&payload));
    match summary {
        Some((_, found)) if found == write => None,
        Some((entries, _)) => {
            count(&logs.link.counters.duplicates);
            Some(entries as usize)
        }
        // It has left the stream before its key was forgotten; a call has at least one entry.
        None => Some(1),
    }
}

/// Messages of one app in flight: enough to hide the way to the server, few enough that calls come together.
const FLIGHTS_MAX: usize = 4;
/// Calls go together up to this much; one alone may be larger.
const TOGETHER_BYTES_MAX: usize = 256 << 10;
/// One call. It is held in memory several times over, here and by every reader.
pub(super) const APPEND_BYTES_MAX: usize = 64 << 20;
