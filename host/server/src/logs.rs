//! What apps say, and what the host has to say about them: to tracing, to a ring of each app's last lines, and to
//! whoever listens.
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
pub use runtime::LogLevel;

/// One line of an app's log.
#[derive(Clone, Debug)]
pub struct LogLine {
    pub app: Arc<str>,
    pub origin: Origin,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    pub level: LogLevel,
    /// wasi:logging's context; the kind of call for lines of the host.
    pub context: String,
    /// May have several lines: backtraces do.
    pub message: String,
    /// The socket that the handler was called for.
    pub socket: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The app's own words.
    Guest,
    /// The host's, about a call that failed.
    Host,
}

/// Hears every line of every app's log, on the thread that wrote it: must not block for long.
pub type OnLog = Arc<dyn Fn(&LogLine) + Send + Sync>;

/// One app's log on this node. Shared by its cores.
pub(crate) struct Logs {
    app: Arc<str>,
    /// The last [`LINES_MAX`] lines. Held only to push and to copy.
    ring: Mutex<VecDeque<Arc<LogLine>>>,
    on_log: Option<OnLog>,
}

/// Lines kept of an app. With messages cut at [`MESSAGE_BYTES_MAX`] a ring holds 16 MiB at the very most.
const LINES_MAX: usize = 1_000;
const MESSAGE_BYTES_MAX: usize = 16 * 1024;

impl Logs {
    pub(crate) fn new(app: Arc<str>, on_log: Option<OnLog>) -> Self {
        Self {
            app,
            ring: Mutex::default(),
            on_log,
        }
    }

    pub(crate) fn push(
        &self,
        origin: Origin,
        level: LogLevel,
        context: &str,
        message: &str,
        socket: Option<&str>,
    ) {
        let line = Arc::new(LogLine {
            app: Arc::clone(&self.app),
            origin,
            at_ms: now_ms(),
            level,
            context: cut(context).to_owned(),
            message: cut(message).to_owned(),
            socket: socket.map(str::to_owned),
        });
        trace(&line);
        if let Some(on_log) = &self.on_log {
            on_log(&line);
        }
        let mut ring = self.ring.lock();
        if ring.len() == LINES_MAX {
            ring.pop_front();
        }
        ring.push_back(line);
    }

    /// The last lines, oldest first.
    #[cfg(test)]
    pub(crate) fn last(&self) -> Vec<Arc<LogLine>> {
        self.ring.lock().iter().cloned().collect()
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

/// Levels of guests are fields: an operator's filter is for the host's own words, and `app` is the target to filter by.
fn trace(line: &LogLine) {
    let (app, context, socket) = (&*line.app, &*line.context, line.socket.as_deref());
    let message = &*line.message;
    match line.level {
        LogLevel::Trace => tracing::trace!(target: "app", app, context, socket, "{message}"),
        LogLevel::Debug => tracing::debug!(target: "app", app, context, socket, "{message}"),
        LogLevel::Info => tracing::info!(target: "app", app, context, socket, "{message}"),
        LogLevel::Warn => tracing::warn!(target: "app", app, context, socket, "{message}"),
        LogLevel::Error | LogLevel::Critical => {
            tracing::error!(target: "app", app, context, socket, "{message}");
        }
    }
}
