//! Counters of calls, and everything countable as Prometheus text. Labels are apps and words of ours, never sockets, rooms or
//! events. An app of which nothing has been counted is left out: 10,000 that sleep are not as many times the families.
use std::{fmt::Write, time::Duration};

use router::{CallKind, Failure};
use session::AppStats;

use crate::{core::CoreStats, quota::Quotas};

/// Calls of one app on one core. Plain numbers: each core counts its own, and they are summed when asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    counts: [[u64; OUTCOMES.len()]; KINDS.len()],
    /// Calls that took at most the bound of the same index; the last one has no bound.
    buckets: [u64; BOUNDS_US.len() + 1],
    micros: u64,
}

const KINDS: [&str; 7] = [
    "connect",
    "event",
    "disconnect",
    "ack",
    "timer",
    "push",
    "migrate",
];
const OUTCOMES: [&str; 6] = ["ok", "refused", "returned", "trapped", "limit", "unavailable"];
const BOUNDS_US: [u64; 10] = [10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000];

/// From where a call's code was woken, see `runtime::Tier`; hot: an instance was idle.
const TIERS: [&str; 4] = ["hot", "warm", "cold", "remote"];

/// Index of a call's kind among [`KINDS`].
#[derive(Clone, Copy)]
pub(crate) struct Kind(usize);

impl Kind {
    pub(crate) fn of(kind: &CallKind) -> Self {
        Self(match kind {
            CallKind::Connect(_) => 0,
            CallKind::Event { .. } => 1,
            CallKind::Disconnect(_) => 2,
            CallKind::Ack { .. } => 3,
            CallKind::Timer { .. } => 4,
            CallKind::Push { .. } => 5,
            CallKind::Migrate { .. } => 6,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        KINDS.get(self.0).copied().unwrap_or_default()
    }
}

impl Calls {
    pub(crate) fn record<T>(&mut self, kind: Kind, outcome: &Result<T, Failure>, took: Duration) {
        let outcome = outcome_index(outcome);
        if let Some(count) = self
            .counts
            .get_mut(kind.0)
            .and_then(|counts| counts.get_mut(outcome))
        {
            *count += 1;
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros = self.micros.saturating_add(micros);
        let bucket = BOUNDS_US
            .iter()
            .position(|bound| micros <= *bound)
            .unwrap_or(BOUNDS_US.len());
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let counts = self
            .counts
            .iter_mut()
            .flatten()
            .zip(other.counts.iter().flatten());
        let buckets = self.buckets.iter_mut().zip(&other.buckets);
        counts.chain(buckets).for_each(|(sum, part)| *sum += part);
        self.micros = self.micros.saturating_add(other.micros);
    }

    /// All, however they ended.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    fn write(&self, app: &str, calls: &mut Family, seconds: &mut Family) {
        for (kind, counts) in KINDS.iter().zip(&self.counts) {
            for (outcome, count) in OUTCOMES.iter().zip(counts).filter(|(_, count)| **count > 0) {
                calls.sample("", &[("app", app), ("kind", kind), ("outcome", outcome)], *count);
            }
        }
        let mut below = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            below += count;
            let bound = BOUNDS_US
                .get(index)
                .map_or("+Inf".to_owned(), |bound| seconds_text(*bound));
            seconds.sample("_bucket", &[("app", app), ("le", &bound)], below);
        }
        seconds.sample("_count", &[("app", app)], below);
        seconds.sample("_sum", &[("app", app)], seconds_text(self.micros));
    }
}

/// How a call ended, as a word.
pub(crate) fn outcome<T>(outcome: &Result<T, Failure>) -> &'static str {
    OUTCOMES.get(outcome_index(outcome)).copied().unwrap_or_default()
}

fn outcome_index<T>(outcome: &Result<T, Failure>) -> usize {
    match outcome {
        Ok(_) => 0,
        Err(Failure::Refused(_)) => 1,
        Err(Failure::Returned(_)) => 2,
        Err(Failure::Trapped(_)) => 3,
        Err(Failure::Limit(_)) => 4,
        Err(Failure::Unavailable(_)) => 5,
    }
}

/// What a node knows of one app at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct AppNumbers {
    pub(crate) calls: Calls,
    numbers: Vec<Number>,
}

impl AppNumbers {
    /// With how often the app hit which limit.
    pub(crate) fn with_hits(mut self, quotas: &Quotas) -> Self {
        let hits = quotas.hits().all().filter(|(_, count)| *count > 0);
        self.numbers
            .extend(hits.map(|(limit, count)| ("app_limit_hits_total", Some(("limit", limit)), count)));
        self.numbers
            .push(("slices_waited_total", None, quotas.code.slices_waited()));
        if let Some((keys, bytes)) = quotas.held() {
            self.numbers.push(("kv_keys", None, keys));
            self.numbers.push(("kv_bytes", None, bytes));
        }
        let spent = quotas.code.spent();
        let cpu_ms = u64::try_from(spent.cpu.as_millis()).unwrap_or(u64::MAX);
        self.numbers.extend([
            ("cpu_ms_total", None, cpu_ms),
            ("log_lines_total", None, spent.log_lines),
            ("http_requests_total", None, spent.http_requests),
        ]);
        self
    }

    pub(crate) fn sum<'a>(
        sessions: &AppStats,
        cores: impl Iterator<Item = &'a CoreStats>,
        timers: usize,
    ) -> Self {
        let mut calls = Calls::default();
        let (mut instances, mut wakes) = (0, [0; TIERS.len()]);
        for core in cores {
            calls.add(&core.calls);
            let worker = &core.worker;
            instances += worker.instances as u64;
            let by_tier = [
                worker.wakes_hot,
                worker.wakes_warm,
                worker.wakes_cold,
                worker.wakes_remote,
            ];
            wakes.iter_mut().zip(by_tier).for_each(|(sum, part)| *sum += part);
        }
        let mut numbers: Vec<Number> = vec![
            ("sessions", None, sessions.sessions),
            ("sessions_total", None, sessions.opened),
            ("sockets", None, sessions.sockets),
            ("sockets_away", None, sessions.away),
            (
                "recoveries_total",
                Some(("outcome", "recovered")),
                sessions.recovered,
            ),
            (
                "recoveries_total",
                Some(("outcome", "refused")),
                sessions.not_recovered,
            ),
            ("unauthorised_total", None, sessions.unauthorised),
            ("events_total", None, sessions.events),
            ("bytes_in_total", None, sessions.bytes_in),
            ("bytes_out_total", None, sessions.bytes_out),
            ("deliveries_total", None, sessions.deliveries),
            ("volatile_dropped_total", None, sessions.volatile_dropped),
            ("overflows_total", None, sessions.overflows),
            ("instances", None, instances),
            ("timers", None, timers as u64),
            ("log_head", None, sessions.log_offset),
        ];
        let wakes = TIERS.into_iter().zip(wakes);
        numbers.extend(wakes.map(|(tier, count)| ("wakes_total", Some(("tier", tier)), count)));
        Self { calls, numbers }
    }

    /// Whether nothing has been counted.
    fn is_silent(&self) -> bool {
        self.calls.count() == 0 && self.numbers.iter().all(|(_, _, value)| *value == 0)
    }
}

/// Name of a family of [`FAMILIES`], its one label beside the app, and its value.
type Number = (&'static str, Option<(&'static str, &'static str)>, u64);

/// Families with numbers that rooms count themselves: name, type, help.
const FAMILIES: &[(&str, &str, &str)] = &[
    ("sessions", "gauge", "Connections that live here."),
    ("sessions_total", "counter", "Connections opened."),
    (
        "sockets",
        "gauge",
        "Namespaces joined by connections that live here.",
    ),
    ("sockets_away", "gauge", "Sockets whose client may still recover."),
    (
        "recoveries_total",
        "counter",
        "Clients that asked to recover, by outcome.",
    ),
    (
        "unauthorised_total",
        "counter",
        "Clients refused for their token.",
    ),
    ("events_total", "counter", "Events received from clients."),
    (
        "bytes_in_total",
        "counter",
        "Bytes that clients sent, before framing.",
    ),
    (
        "bytes_out_total",
        "counter",
        "Bytes that clients were sent, before framing and compression.",
    ),
    ("deliveries_total", "counter", "Events given out to sockets."),
    (
        "volatile_dropped_total",
        "counter",
        "Volatile events dropped for clients that could not take them.",
    ),
    (
        "overflows_total",
        "counter",
        "Connections closed because their client was too slow.",
    ),
    ("instances", "gauge", "Instances of the handler that live."),
    ("wakes_total", "counter", "Calls by what they had to wake."),
    (
        "slices_waited_total",
        "counter",
        "Slices of calls that ran long, each a fraction of a millisecond, while calls of the app waited to begin.",
    ),
    (
        "cpu_ms_total",
        "counter",
        "Milliseconds of processor time that calls took.",
    ),
    ("log_lines_total", "counter", "Lines that handlers logged."),
    (
        "http_requests_total",
        "counter",
        "HTTP requests that handlers sent.",
    ),
    ("timers", "gauge", "Timers that wait."),
    (
        "app_limit_hits_total",
        "counter",
        "How often something of an app was refused, ended or held back at a limit of its manifest.",
    ),
    (
        "kv_keys",
        "gauge",
        "Keys in the app's key-value store, where this node has counted them.",
    ),
    (
        "kv_bytes",
        "gauge",
        "Bytes in the app's key-value store, where this node has counted them.",
    ),
    (
        "log_head",
        "gauge",
        "Offset of the last entry of the app's log that was delivered here.",
    ),
];

/// What is countable of the node itself.
pub(crate) struct NodeNumbers {
    pub(crate) ready: bool,
    pub(crate) own: Vec<NodeNumber>,
    /// Of its place among others, if it has one.
    pub(crate) cluster: Option<Vec<NodeNumber>>,
}

/// Name, type, help and value.
pub(crate) type NodeNumber = (&'static str, &'static str, &'static str, u64);

/// Prometheus text of all apps.
pub(crate) fn render(apps: &[(String, AppNumbers)], node: &NodeNumbers) -> String {
    let mut out = String::new();
    let mut up = Family::new("ready", "gauge", "Whether this node takes new connections.");
    up.sample("", &[], u8::from(node.ready));
    up.finish(&mut out);
    for (name, kind, help, value) in node.own.iter().chain(node.cluster.iter().flatten()) {
        let mut family = Family::new(name, kind, help);
        family.sample("", &[], value);
        family.finish(&mut out);
    }
    out + &render_apps(apps)
}

/// The part of it that is of apps.
pub(crate) fn render_apps(apps: &[(String, AppNumbers)]) -> String {
    let mut out = String::new();
    let mut calls = Family::new(
        "calls_total",
        "counter",
        "Calls of handlers, by what for and how they ended.",
    );
    let mut seconds = Family::new(
        "call_seconds",
        "histogram",
        "How long calls took, waiting for an instance included.",
    );
    let apps: Vec<_> = apps.iter().filter(|(_, numbers)| !numbers.is_silent()).collect();
    for (app, numbers) in &apps {
        numbers.calls.write(app, &mut calls, &mut seconds);
    }
    calls.finish(&mut out);
    seconds.finish(&mut out);
    for (name, kind, help) in FAMILIES {
        let mut family = Family::new(name, kind, help);
        for (app, numbers) in &apps {
            for (_, label, value) in numbers.numbers.iter().filter(|(of, ..)| of == name) {
                match label {
                    Some((label, text)) => family.sample("", &[("app", app), (label, text)], *value),
                    None => family.sample("", &[("app", app)], *value),
                }
            }
        }
        family.finish(&mut out);
    }
    out
}

struct Family {
    name: String,
    head: String,
    samples: String,
}

impl Family {
    fn new(name: &str, kind: &str, help: &str) -> Self {
        let name = format!("wakeline_{name}");
        let head = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Self {
            name,
            head,
            samples: String::new(),
        }
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<_> = labels
            .iter()
            .map(|(name, text)| format!("{name}=\"{text}\""))
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        let _ = writeln!(self.samples, "{}{suffix}{labels} {value}", self.name);
    }

    fn finish(self, out: &mut String) {
        if !self.samples.is_empty() {
            out.push_str(&self.head);
            out.push_str(&self.samples);
        }
    }
}

fn seconds_text(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
