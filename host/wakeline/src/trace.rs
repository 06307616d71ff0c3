use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Sends the host's own words to stderr, by `WAKELINE_LOG` (a filter such as `info,session=debug`) or else by
/// `default`, as JSON lines if `WAKELINE_LOG_FORMAT=json`. A second call changes nothing.
pub(crate) fn init(default: &str) {
    let wanted = std::env::var("WAKELINE_LOG")
        .ok()
        .filter(|filter| !filter.is_empty());
    let filter = wanted
        .and_then(|filter| filter.parse().ok())
        .unwrap_or_else(|| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // An error says that somebody else (a test) has set a subscriber: theirs stays.
    let _ = if std::env::var("WAKELINE_LOG_FORMAT").is_ok_and(|format| format == "json") {
        builder.json().try_init()
    } else {
        builder.with_ansi(io::stderr().is_terminal()).try_init()
    };
}
