use router::Limit;

use crate::{
    bindings::wasi::logging::logging::{Host, Level},
    host::{LineOf, LogLevel},
    limits::LimitHit,
    state::State,
};

/// Bytes of one line and of its context; the rest is cut off.
const LINE_BYTES_MAX: usize = 4_096;
const CONTEXT_BYTES_MAX: usize = 256;

/// Counts a call's log lines.
#[derive(Default)]
pub(crate) struct Lines {
    seen: usize,
}

impl Lines {
    pub(crate) fn begin(&mut self) {
        self.seen = 0;
    }
}

impl Host for State {
    fn log(&mut self, level: Level, context: String, message: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
            Level::Critical => LogLevel::Critical,
        };
        self.write_line(level, &context, &message);
        let max = self.limits.log_lines_per_call;
        // A log has no way to say no: ten times the limit ends the call.
        if self.lines.seen > max.saturating_mul(10) {
            return Err(LimitHit(Limit::LogLinesPerCall.describe(max)).into());
        }
        Ok(())
    }
}

impl State {
    pub(crate) fn write_line(&mut self, level: LogLevel, context: &str, message: &str) {
        self.lines.seen += 1;
        let max = self.limits.log_lines_per_call;
        if self.lines.seen > max {
            return;
        }
        let per_second = self.limits.log_lines_per_second;
        let Some(dropped) = self.seat.quota().admit_line(per_second) else {
            return;
        };
        if dropped > 0 {
            let limit = Limit::LogLinesPerSecond.describe(per_second);
            let text = format!("{dropped} lines of the app were dropped ({limit})");
            self.host.log(
                LogLevel::Warn,
                "wakeline",
                &text,
                LineOf {
                    socket: None,
                    trace: None,
                },
            );
        }
        self.host.log(
            level,
            cut(context, CONTEXT_BYTES_MAX),
            cut(message, LINE_BYTES_MAX),
            self.line_of(),
        );
    }

    /// Gives out what the guest wrote to stdout and stderr, and says how many lines were dropped. Called when a
    /// call ends, however it ended. Answers what was on stderr.
    pub(crate) fn finish_lines(&mut self) -> String {
        let (stdout, stderr) = self.captured.take();
        // Most calls print nothing.
        for (text, level, context) in [
            (&stdout, LogLevel::Info, "stdout"),
            (&stderr, LogLevel::Warn, "stderr"),
        ] {
            if !text.is_empty() {
                text.lines()
                    .for_each(|line| self.write_line(level, context, line));
            }
        }
        let dropped = self.lines.seen.saturating_sub(self.limits.log_lines_per_call);
        if dropped > 0 {
            self.transaction.hit(Limit::LogLinesPerCall);
            let limit = Limit::LogLinesPerCall.describe(self.limits.log_lines_per_call);
            let text = format!("{dropped} lines dropped ({limit})");
            self.host.log(LogLevel::Warn, "wakeline", &text, self.line_of());
        }
        stderr
    }
}

/// The first `bytes_max` bytes of a text, at a character's border.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max))
        .unwrap_or_default()
}
