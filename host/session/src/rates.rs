use std::{
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use compact::Moment;
use parking_lot::Mutex;
use router::{Bucket, Hits, Limit};

use crate::{
    Hub,
    session::Session,
    state::{SessionKey, State},
    timers::TimerKey,
};

/// What an app and its clients may send by the second; a second's worth may come at once. Who sends more is read no
/// further until it is paid for: nothing is lost, and TCP tells the client. A client that stays beyond its rate for
/// longer than its heartbeat allows loses its connection, since its pongs wait as well.
///
/// What is an app's is a node's, each core taking its part, but for what goes out, which is counted across cores.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Of one connection: frames (or packets of a POST), attachments apart, and bytes.
    pub events_per_second: u64,
    pub bytes_per_second: u64,
    pub app_events_per_second: u64,
    pub app_bytes_per_second: u64,
    /// Beyond, calls that emit wait with their effects, and volatile events are dropped.
    pub app_bytes_out_per_second: u64,
    /// Sockets of the app on the node: those that are away and may come back are among them.
    pub sockets_max: usize,
}

/// The manifest's defaults.
impl Default for Rates {
    fn default() -> Self {
        Self {
            events_per_second: 1_000,
            bytes_per_second: 4 << 20,
            app_events_per_second: 100_000,
            app_bytes_per_second: 64 << 20,
            app_bytes_out_per_second: 128 << 20,
            sockets_max: 100_000,
        }
    }
}

/// What one app has used and hit on this node: shared by its cores, and by its settings as they are replaced.
#[derive(Debug, Default)]
pub struct Quota {
    hits: Arc<Hits>,
    /// Bytes sent to clients.
    out: Mutex<Bucket>,
    /// Emits of backends.
    emits: Mutex<Bucket>,
}

impl Quota {
    pub fn new(hits: Arc<Hits>) -> Self {
        Self {
            hits,
            out: Mutex::default(),
            emits: Mutex::default(),
        }
    }

    pub fn hits(&self) -> &Hits {
        &self.hits
    }

    /// Whether a backend may emit now; `Err` names what the app has used up.
    pub fn admit_emit(&self, rates: &Rates, now: Instant) -> Result<(), Limit> {
        let limit = if !self.out_wait(now).is_zero() {
            Limit::AppBytesOutPerSecond
        } else if !self.emits.lock().try_take(1, rates.app_events_per_second, now) {
            Limit::AppEventsPerSecond
        } else {
            return Ok(());
        };
        self.hits.bump(limit);
        Err(limit)
    }

    fn out_wait(&self, now: Instant) -> Duration {
        self.out.lock().wait(now)
    }
}

/// What a connection, or an app on one core, has sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Intake {
    events: Bucket,
    bytes: Bucket,
}

/// What an app on one core has sent to clients.
#[derive(Default)]
pub(crate) struct Sent {
    quota: Option<Arc<Quota>>,
    per_second: u64,
    /// Bytes that the quota has not been told of: cores do not fight over it at every packet.
    untold: u64,
    /// Ever.
    bytes: u64,
}

const TELL_BYTES: u64 = 16 * 1024;

/// Connections of an app that is beyond its rate are looked at this often: all at once they would cost more than what
/// they may send.
const APP_WAIT: Duration = Duration::from_millis(100);

/// The longest between two looks whether what was sent is paid for.
const OUT_WAIT_MAX: Duration = Duration::from_secs(1);

impl Intake {
    fn take(&mut self, (events, bytes): (u64, u64), (events_rate, bytes_rate): (u64, u64), now: Moment) {
        self.events.take(events, events_rate, now);
        self.bytes.take(bytes, bytes_rate, now);
    }

    /// The limit that holds up longest, and how long.
    fn wait(&self, now: Moment, (events, bytes): (Limit, Limit)) -> (Duration, Limit) {
        let (by_events, by_bytes) = (self.events.wait(now), self.bytes.wait(now));
        if by_events >= by_bytes {
            (by_events, events)
        } else {
            (by_bytes, bytes)
        }
    }
}

impl Sent {
    pub(crate) fn follow(&mut self, quota: &Arc<Quota>, per_second: u64) {
        self.per_second = per_second;
        if !self.quota.as_ref().is_some_and(|known| Arc::ptr_eq(known, quota)) {
            self.quota = Some(Arc::clone(quota));
        }
    }

    pub(crate) fn hit(&self, limit: Limit) {
        if let Some(quota) = &self.quota {
            quota.hits.bump(limit);
        }
    }

    pub(crate) fn add(&mut self, bytes: usize, now: Instant) {
        self.untold += bytes as u64;
        self.bytes += bytes as u64;
        if self.untold >= TELL_BYTES
            && let Some(quota) = &self.quota
        {
            quota.out.lock().take(self.untold, self.per_second, now);
            self.untold = 0;
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn wait(&self, now: Instant) -> Duration {
        self.quota
            .as_ref()
            .map_or(Duration::ZERO, |quota| quota.out_wait(now))
    }
}

impl State {
    /// A client sent something, which has been read: it and its app are charged for it.
    pub(crate) fn charge(&mut self, key: SessionKey, events: u64, bytes: usize, cores: usize, now: Instant) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let (rates, amount) = (session.app.settings.rates, (events, bytes as u64));
        let now = Moment::from(now);
        session
            .intake
            .take(amount, (rates.events_per_second, rates.bytes_per_second), now);
        let part = |rate: u64| (rate / cores as u64).max(1);
        let of_app = (
            part(rates.app_events_per_second),
            part(rates.app_bytes_per_second),
        );
        if let Some(line) = self.lines.get_mut(&session.app.name) {
            line.intake.take(amount, of_app, now);
            line.stats.bytes_in += amount.1;
        }
    }

    /// How long a connection is to be read no further, and for which limit.
    fn intake_wait(&self, session: &Session, now: Instant) -> (Duration, Limit) {
        let now = Moment::from(now);
        let own = session
            .intake
            .wait(now, (Limit::EventsPerSecond, Limit::BytesPerSecond));
        let Some(line) = self.lines.get(&session.app.name) else {
            return own;
        };
        let (wait, limit) = line
            .intake
            .wait(now, (Limit::AppEventsPerSecond, Limit::AppBytesPerSecond));
        if wait <= own.0 {
            return own;
        }
        (wait.max(APP_WAIT), limit)
    }

    /// Whether a connection may certainly be read: [`State::poll_readable`] says the same, or looks closer.
    pub(crate) fn is_clear(&self, key: SessionKey, now: Instant) -> bool {
        let Some(session) = self.sessions.get(key) else {
            return false;
        };
        session.held.is_none() && !self.is_behind(session) && self.intake_wait(session, now).0.is_zero()
    }

    /// Whether a handler has as many events waiting as its app allows.
    fn is_behind(&self, session: &Session) -> bool {
        session.sockets.iter().any(|socket| {
            let socket = self.sockets.get(*socket);
            socket.is_some_and(|socket| socket.pending.jobs() >= session.app.settings.events_queued_max)
        })
    }

    /// Ready when a connection may be read: none of its sockets has more events waiting than its app allows, and what
    /// came is paid for.
    pub(crate) fn poll_readable(&mut self, key: SessionKey, now: Instant, cx: &Context<'_>) -> Poll<()> {
        let Some(session) = self.sessions.get(key) else {
            return Poll::Ready(());
        };
        let behind = self.is_behind(session);
        let held = session.held.map(Instant::from).filter(|until| *until > now);
        let (wait, limit) = match (behind, held) {
            (true, _) => (Duration::ZERO, Limit::EventsQueued),
            (false, Some(until)) => (until - now, Limit::EventsPerSecond),
            (false, None) => self.intake_wait(session, now),
        };
        if !behind && wait.is_zero() {
            return Poll::Ready(());
        }
        let Some(session) = self.sessions.get_mut(key) else {
            return Poll::Ready(());
        };
        if session.waiting.add(cx.waker()) && held.is_none() {
            session.app.quota.hits.bump(limit);
        }
        if !behind && held.is_none() {
            session.held = Some((now + wait).into());
            self.arm(now + wait, TimerKey::Reading(key));
        }
        Poll::Pending
    }

    /// A connection that was held back may be read again.
    pub(crate) fn read_on(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.held = None;
            session.wake();
        }
    }
}

impl Hub {
    /// Waits until what the app sent is paid for: before its next call's effects are carried out.
    pub(crate) async fn wait_for_out(&self, app: &Arc<str>) {
        let mut counted = false;
        loop {
            let wait = self.with(|state, now| {
                let sent = &state.line(app).sent;
                let wait = sent.wait(now);
                if !wait.is_zero() && !std::mem::replace(&mut counted, true) {
                    sent.hit(Limit::AppBytesOutPerSecond);
                }
                wait
            });
            if wait.is_zero() {
                return;
            }
            tokio::time::sleep(wait.min(OUT_WAIT_MAX)).await;
        }
    }

    /// How many sockets of this node an emit reaches, as far as this core can tell: those of its own, times the cores
    /// that serve the app. At most: a socket in two rooms counts twice.
    pub fn fan_out(&self, app: &Arc<str>, target: &router::Target) -> usize {
        let here = self.with(|state, _| state.lines.get(app).map_or(0, |line| line.members.count(target)));
        here.saturating_mul(self.shards().lines_open(app).max(1))
    }
}
