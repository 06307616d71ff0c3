//! Lines of a log that a host keeps. They are what was asked for, so they go to stdout.
use std::io;

use super::{Colour, paint_out, printable, try_out};

/// One line of an app's log, as the host tells it.
#[derive(serde::Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(crate) struct Line {
    at_ms: u64,
    level: String,
    origin: String,
    context: String,
    message: String,
    socket: Option<String>,
    node: String,
}

/// An error says that nobody reads any more.
pub(crate) fn remote_log(line: &Line) -> io::Result<()> {
    let colour = match line.level.as_str() {
        "trace" | "debug" => Colour::Dim,
        "warn" => Colour::Yellow,
        "error" | "critical" => Colour::Red,
        _ => Colour::Green,
    };
    let from = match line.origin.as_str() {
        "guest" if line.context.is_empty() => String::new(),
        "guest" => format!("{} ", printable(&line.context)),
        _ => "wakeline ".to_owned(),
    };
    let place = match &line.socket {
        Some(socket) => format!("[{} {}]", line.node, socket),
        None => format!("[{}]", line.node),
    };
    let mut lines = line.message.lines();
    try_out(&format!(
        "{} {} {from}{}: {}",
        paint_out(Colour::Dim, &super::time(line.at_ms)),
        paint_out(colour, &format!("{:>8}", printable(&line.level))),
        paint_out(Colour::Dim, &printable(&place)),
        printable(lines.next().unwrap_or_default())
    ))?;
    lines.try_for_each(|line| try_out(&paint_out(Colour::Dim, &format!("{:34}{}", "", printable(line)))))
}
