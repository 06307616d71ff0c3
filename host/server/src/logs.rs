//! What apps say, and what the host has to say about them: to tracing, to a ring of each app's last lines, and to
//! whoever follows, here or on another node.
pub(crate) mod follow;
pub(crate) mod spread;

pub(crate) mod level;

mod book;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

pub use runtime::LogLevel;
use serde::{Deserialize, Serialize};

pub(crate) use self::book::LogBook;

/// One line of an app's log. As JSON it is what `GET /v1/apps/{app}/logs` streams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub app: Arc<str>,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    #[serde(with = "level")]
    pub level: LogLevel,
    pub origin: Origin,
    /// wasi:logging's context; the kind of call for lines of the host. At most 256 bytes.
    pub context: String,
    /// May have several lines: backtraces do. At most 16 KiB.
    pub message: String,
    /// The socket that the handler was called for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// Name of the node that wrote it.
    pub node: Arc<str>,
    /// W3C trace id of the call, where it is traced: 32 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// In whose words a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The app's own.
    Guest,
    /// The host's, about a call that failed.
    Host,
}

/// Hears every line of every app's log, on the thread that wrote it: must not block for long.
pub type OnLog = Arc<dyn Fn(&LogLine) + Send + Sync>;

/// What is to be written, before it is a line of somebody's.
#[derive(Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) origin: Origin,
    pub(crate) level: LogLevel,
    pub(crate) context: &'a str,
    pub(crate) message: &'a str,
    pub(crate) socket: Option<&'a str>,
    pub(crate) trace: Option<&'a str>,
}

/// One app's log on this node. Shared by its cores; costs a name and a pointer until something is said.
pub(crate) struct Logs {
    app: Arc<str>,
    book: Arc<LogBook>,
}

const MESSAGE_BYTES_MAX: usize = 16 * 1024;

impl Logs {
    pub(crate) fn new(app: Arc<str>, book: Arc<LogBook>) -> Self {
        Self { app, book }
    }

    pub(crate) fn say(&self, said: Said<'_>) {
        let line = LogLine {
            app: Arc::clone(&self.app),
            at_ms: now_ms(),
            level: said.level,
            origin: said.origin,
            context: cut(said.context).to_owned(),
            message: cut(said.message).to_owned(),
            socket: said.socket.map(str::to_owned),
            node: Arc::clone(self.book.node()),
            trace: said.trace.map(str::to_owned),
        };
        trace(&line);
        self.book.take_in(&Arc::new(line));
    }
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MESSAGE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Apps' lines have the target "app", the host's own have its modules': an operator's filter tells them apart. Which app
/// and socket it was are fields.
fn trace(line: &LogLine) {
    let (app, context, socket) = (&*line.app, &*line.context, line.socket.as_deref());
    let (message, trace) = (&*line.message, line.trace.as_deref());
    match line.level {
        LogLevel::Trace => tracing::trace!(target: "app", app, context, socket, trace, "{message}"),
        LogLevel::Debug => tracing::debug!(target: "app", app, context, socket, trace, "{message}"),
        LogLevel::Info => tracing::info!(target: "app", app, context, socket, trace, "{message}"),
        LogLevel::Warn => tracing::warn!(target: "app", app, context, socket, trace, "{message}"),
        LogLevel::Error | LogLevel::Critical => {
            tracing::error!(target: "app", app, context, socket, trace, "{message}");
        }
    }
}
