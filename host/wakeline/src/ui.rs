//! Everything that is said to a person. Only this file writes to the terminal: what scripts read goes to stdout, the
//! rest to stderr. A terminal that is gone is no reason to stop serving, so failures to write are ignored.
mod bar;
mod remote;
mod table;

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::OnceLock,
};

use serde_json::Value;
use server::{LogLevel, LogLine, Origin};

pub(crate) use self::{bar::Bar, remote::remote_log, table::table};
use crate::failure::Failure;

/// The line that scripts wait for. `serve` prints this and nothing else to stdout.
pub(crate) fn listening(scheme: &str, listen: SocketAddr, admin: Option<SocketAddr>) {
    let admin = admin
        .map(|admin| format!(", admin on http://{admin}"))
        .unwrap_or_default();
    out(&format!("wakeline: listening on {scheme}://{listen}{admin}"));
}

pub(crate) fn say(text: &str) {
    out(text);
}

/// One JSON document, for scripts.
pub(crate) fn json(value: &Value) {
    out(&value.to_string());
}

/// One of many JSON documents. An error says that nobody reads any more.
pub(crate) fn json_line(value: &Value) -> io::Result<()> {
    try_out(&value.to_string())
}

/// A question; the answer stands behind it.
pub(crate) fn prompt(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// Progress: what is being done now.
pub(crate) fn step(verb: &str, what: &str) {
    err(&format!(
        "{} {what}",
        paint(Colour::Green, &format!("{verb:>12}"))
    ));
}

pub(crate) fn warn(message: &str, help: Option<&str>) {
    err(&format!("{}: {message}", paint(Colour::Yellow, "warning")));
    if let Some(help) = help {
        self::help(help);
    }
}

pub(crate) fn failure(failure: &Failure) {
    err(&format!("{}: {}", paint(Colour::Red, "error"), failure.message));
    if let Some(help) = &failure.help {
        self::help(help);
    }
}

fn help(text: &str) {
    err(&format!("{}: {text}", paint(Colour::Cyan, "help")));
}

/// One line of an app's log, or of what the host has to say about it. Backtraces keep their lines.
pub(crate) fn log(line: &LogLine) {
    let (colour, level) = match line.level {
        LogLevel::Trace => (Colour::Dim, "trace"),
        LogLevel::Debug => (Colour::Dim, "debug"),
        LogLevel::Info => (Colour::Green, "info"),
        LogLevel::Warn => (Colour::Yellow, "warn"),
        LogLevel::Error => (Colour::Red, "error"),
        LogLevel::Critical => (Colour::Red, "critical"),
    };
    let from = match line.origin {
        Origin::Guest if line.context.is_empty() => line.app.to_string(),
        Origin::Guest => format!("{} {}", line.app, line.context),
        Origin::Host => "wakeline".to_owned(),
    };
    let socket = line
        .socket
        .as_ref()
        .map(|socket| format!(" [{socket}]"))
        .unwrap_or_default();
    let lead = format!(
        "{:>8} {}{}",
        paint(colour, level),
        from,
        paint(Colour::Dim, &socket)
    );
    let mut lines = line.message.lines();
    err(&format!(
        "{lead}: {}",
        printable(lines.next().unwrap_or_default())
    ));
    for line in lines {
        err(&paint(Colour::Dim, &format!("         {}", printable(line))));
    }
}

/// clap's own words: help and version are no errors.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // Ignored: see the head of the file.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(64)
    } else {
        ExitCode::SUCCESS
    }
}

/// A guest's text must not move the cursor, clear the screen or set a title.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

#[derive(Clone, Copy)]
enum Colour {
    Red,
    Green,
    Yellow,
    Cyan,
    Dim,
}

/// For stderr.
fn paint(colour: Colour, text: &str) -> String {
    static COLOURS: OnceLock<bool> = OnceLock::new();
    colour.of(
        text,
        *COLOURS.get_or_init(|| io::stderr().is_terminal() && may_colour()),
    )
}

/// For stdout.
fn paint_out(colour: Colour, text: &str) -> String {
    static COLOURS: OnceLock<bool> = OnceLock::new();
    colour.of(
        text,
        *COLOURS.get_or_init(|| io::stdout().is_terminal() && may_colour()),
    )
}

fn may_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Colour {
    fn of(self, text: &str, wanted: bool) -> String {
        if !wanted || text.is_empty() {
            return text.to_owned();
        }
        let code = match self {
            Self::Red => "1;31",
            Self::Green => "1;32",
            Self::Yellow => "1;33",
            Self::Cyan => "1;36",
            Self::Dim => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

fn out(text: &str) {
    // Ignored: see the head of the file.
    let _ = try_out(text);
}

fn try_out(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush())
}

fn err(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A time of the API in UTC: `2026-11-22T18:06:58.123Z`.
pub(crate) fn time(at_ms: u64) -> String {
    let (days, ms) = (at_ms / 86_400_000, at_ms % 86_400_000);
    // Howard Hinnant's civil_from_days: years that begin in March, so that a leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (seconds, ms) = (ms / 1_000, ms % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests;
