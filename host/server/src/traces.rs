//! Spans of calls, with W3C context. A call is part of its client's trace if the handshake had a `traceparent`, of its backend's
//! if a push had one; otherwise it has one only if the operator wants all traced (`--trace`), and else costs a look at a flag.
//!
//! Spans are tracing's, with the target "trace": JSON logs carry them to whatever collects those. There is deliberately no exporter
//! of another protocol in this process.
use std::{
    future::Future,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use http::HeaderMap;
use router::{Call, Trace};
use tracing::{Instrument, Span, field};

/// Whether calls that nobody else traces are traced.
static ALL: AtomicBool = AtomicBool::new(false);

/// Whether every call is traced from now on.
pub(crate) fn trace_all(all: bool) {
    ALL.store(all, Ordering::Relaxed);
}

/// Makes a call a span of its own within what caused it; `None` if it is not traced.
pub(crate) fn begin(call: &mut Call, app: &str, kind: &'static str) -> Option<Span> {
    let namespace = call.socket.as_ref().map(|socket| &*socket.namespace);
    let (trace, span) = open(call.trace, app, kind, namespace)?;
    call.trace = Some(trace);
    Some(span)
}

/// A span of what is no call.
pub(crate) fn request(given: Option<Trace>, app: &str, kind: &'static str) -> Option<Span> {
    open(given, app, kind, None).map(|(_, span)| span)
}

/// What a request says of the trace that it is part of.
pub(crate) fn given(headers: &HeaderMap) -> Option<Trace> {
    let mut given = headers.get_all("traceparent").iter();
    let value = given.next()?.to_str().ok()?;
    // Two of them say nothing.
    given.next().is_none().then(|| Trace::parse(value))?
}

/// Never arguments, names of events or rooms: those are the app's and its clients'.
fn open(
    parent: Option<Trace>,
    app: &str,
    kind: &'static str,
    namespace: Option<&str>,
) -> Option<(Trace, Span)> {
    if parent.is_none() && !ALL.load(Ordering::Relaxed) {
        return None;
    }
    let trace = child(parent);
    let span = tracing::info_span!(
        target: "trace",
        "call",
        app,
        kind,
        namespace,
        trace = trace.id_text(),
        span = trace.span_text(),
        parent = field::Empty,
        outcome = field::Empty,
    );
    if let Some(parent) = parent {
        span.record("parent", parent.span_text());
    }
    Some((trace, span))
}

/// Runs `work` within a span, if there is one.
pub(crate) async fn within<T>(span: Option<Span>, work: impl Future<Output = T>) -> T {
    match span {
        Some(span) => Box::pin(work.instrument(span)).await,
        None => work.await,
    }
}

/// A span of `parent`'s trace, or the first one of a new trace.
pub(crate) fn child(parent: Option<Trace>) -> Trace {
    let span = next().to_be_bytes();
    if let Some(parent) = parent {
        return Trace { span, ..parent };
    }
    let id = u128::from(next()) << 64 | u128::from(next());
    Trace {
        id: id.to_be_bytes(),
        span,
        sampled: true,
    }
}

/// Numbers that do not repeat, on any node: a counter from a random place, spread by splitmix64. Not secret. Never 0.
fn next() -> u64 {
    static COUNTER: OnceLock<AtomicU64> = OnceLock::new();
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let counter = COUNTER.get_or_init(|| AtomicU64::new(getrandom::u64().unwrap_or(STEP)));
    let mut number = counter.fetch_add(STEP, Ordering::Relaxed);
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (number ^ (number >> 31)).max(1)
}
