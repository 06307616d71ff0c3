use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, fmt::format::FmtSpan};

/// How the process's own log is written.
pub(crate) struct Style {
    /// What is said unless `WAKELINE_LOG` has a filter, such as `info,session=debug,app=warn`. Apps' lines have the target
    /// "app", spans of calls "trace", the host's own words their module.
    pub(crate) filter: &'static str,
    /// Lines of JSON, one a line, with fields.
    pub(crate) json: bool,
}

/// Sends the host's words, and its apps', to stderr. A second call changes nothing.
pub(crate) fn init(style: &Style) {
    let wanted = std::env::var("WAKELINE_LOG")
        .ok()
        .filter(|filter| !filter.is_empty());
    let filter = wanted
        .and_then(|filter| filter.parse().ok())
        .unwrap_or_else(|| EnvFilter::new(style.filter));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A span is told once, when it ends, with how long it took.
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(io::stderr);
    // An error says that somebody else (a test) has set a subscriber: theirs stays.
    let _ = if style.json {
        builder.json().with_span_list(false).try_init()
    } else {
        builder.with_ansi(io::stderr().is_terminal()).try_init()
    };
}
