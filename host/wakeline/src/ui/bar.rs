use std::{
    io::{self, IsTerminal, Read, Write},
    time::{Duration, Instant},
};

use super::{Colour, paint, step};

/// Reads what is sent and shows how far it has come: a bar on a terminal, one line before and none during it elsewhere.
pub(crate) struct Bar<'a> {
    verb: &'static str,
    bytes: &'a [u8],
    sent: usize,
    /// `None`: not a terminal.
    drawn: Option<Instant>,
}

const WIDTH: usize = 30;
/// Between two drawings.
const PAUSE: Duration = Duration::from_millis(50);

impl<'a> Bar<'a> {
    pub(crate) fn new(verb: &'static str, what: &str, bytes: &'a [u8]) -> Self {
        step(verb, &format!("{what} ({})", size(bytes.len())));
        let mut bar = Self {
            verb,
            bytes,
            sent: 0,
            drawn: io::stderr().is_terminal().then(Instant::now),
        };
        bar.draw();
        bar
    }

    fn draw(&mut self) {
        if self.drawn.is_none() {
            return;
        }
        self.drawn = Some(Instant::now());
        let verb = paint(Colour::Green, &format!("{:>12}", self.verb));
        let text = bar(self.sent, self.bytes.len());
        let mut stderr = io::stderr().lock();
        // A terminal that is gone is no reason to stop.
        let _ = write!(stderr, "\r{verb} {text}\x1b[K").and_then(|()| stderr.flush());
    }
}

impl Read for Bar<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.bytes.get(self.sent..).unwrap_or_default();
        let read = rest.read(buffer)?;
        self.sent += read;
        let due = self.drawn.is_some_and(|drawn| drawn.elapsed() >= PAUSE);
        if due || self.sent == self.bytes.len() {
            self.draw();
        }
        Ok(read)
    }
}

/// The bar's line is taken away: what follows stands in its place.
impl Drop for Bar<'_> {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let mut stderr = io::stderr().lock();
            let _ = write!(stderr, "\r\x1b[K").and_then(|()| stderr.flush());
        }
    }
}

fn bar(sent: usize, of: usize) -> String {
    let full = (sent * WIDTH).checked_div(of).unwrap_or(WIDTH);
    format!(
        "[{}{}] {} of {}",
        "=".repeat(full),
        " ".repeat(WIDTH - full),
        size(sent),
        size(of)
    )
}

/// In the unit that people read.
fn size(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

#[cfg(test)]
mod tests;
