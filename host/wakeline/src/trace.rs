use std::io::{self, IsTerminal};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, fmt::format::FmtSpan};

/// How the process's own log is written.
pub(crate) struct Style {
    /// What is said unless `WAKELINE_LOG` has a filter, such as `info,session=debug,app=warn`. Apps' lines have the target
    /// "app", spans of calls "trace", the host's own words their module.
    pub(crate) filter: &'static str,
    /// Lines of JSON, one a line, with fields.
    pub(crate) json: bool,
}

/// The log while it is kept; what was said is written when this is dropped.
#[must_use = "the log ends with it"]
pub(crate) struct Log {
    _worker: WorkerGuard,
    dropped: ErrorCounter,
}

/// Lines that wait for stderr to take them. Beyond, lines are dropped and counted: apps cause lines, and must not be able to
/// hold up the core that they run on by more of them than a terminal or a pipe takes.
const LINES_WAITING_MAX: usize = 16 * 1024;

/// Sends the host's words, and its apps', to stderr, on a thread of its own. A second call changes nothing.
pub(crate) fn init(style: &Style) -> Log {
    let wanted = std::env::var("WAKELINE_LOG")
        .ok()
        .filter(|filter| !filter.is_empty());
    let filter = wanted
        .and_then(|filter| filter.parse().ok())
        .unwrap_or_else(|| EnvFilter::new(style.filter));
    let (writer, worker) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_WAITING_MAX)
        .lossy(true)
        .finish(io::stderr());
    let dropped = writer.error_counter();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A span is told once, when it ends, with how long it took.
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(writer);
    // An error says that somebody else (a test) has set a subscriber: theirs stays.
    let _ = if style.json {
        builder.json().with_span_list(false).try_init()
    } else {
        builder.with_ansi(io::stderr().is_terminal()).try_init()
    };
    Log {
        _worker: worker,
        dropped,
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let lines = self.dropped.dropped_lines();
        if lines > 0 {
            tracing::warn!(lines, "stderr was too slow: lines of this log were dropped");
        }
    }
}
