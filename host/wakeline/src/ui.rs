//! Everything that is said to a person. Only this file writes to the terminal: what scripts read goes to stdout, the
//! rest to stderr. A terminal that is gone is no reason to stop serving, so failures to write are ignored.
use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::OnceLock,
};

use server::{LogLevel, LogLine, Origin};

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

fn paint(colour: Colour, text: &str) -> String {
    static COLOURS: OnceLock<bool> = OnceLock::new();
    let wanted =
        || io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if !*COLOURS.get_or_init(wanted) {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Red => "1;31",
        Colour::Green => "1;32",
        Colour::Yellow => "1;33",
        Colour::Cyan => "1;36",
        Colour::Dim => "2",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

fn out(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

fn err(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
