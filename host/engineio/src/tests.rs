//! Transcripts: what a client or the server does, one step a line, and below it what comes of it.
#![allow(clippy::needless_raw_string_hashes, reason = "expect-test writes them so")]

mod close;
mod heartbeat;
mod payloads;
mod polling;
mod properties;
mod refusals;
mod upgrade;

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use bytes::Bytes;
use expect_test::Expect;

use crate::{CloseReason, Connection, Message, Output, Packet, Refusal, Settings, Transport};

/// Runs `steps` (see [`step`]) on a session and compares the transcript.
fn check(via: Transport, steps: &str, expected: &Expect) {
    expected.assert_eq(&transcript(via, steps));
}

fn transcript(via: Transport, steps: &str) -> String {
    let mut run = Run::new(via, settings());
    run.drain(); // the open packet
    let mut transcript = String::new();
    for line in steps.lines().map(str::trim).filter(|line| !line.is_empty()) {
        transcript.push_str(line);
        transcript.push('\n');
        transcript.push_str(&run.step(line));
    }
    transcript
}

/// A session with its virtual clock.
pub(crate) struct Run {
    pub(crate) connection: Connection,
    pub(crate) settings: Settings,
    start: Instant,
    pub(crate) now: Instant,
}

impl Run {
    pub(crate) fn new(via: Transport, settings: Settings) -> Self {
        let start = start();
        let connection = Connection::new("3T-ouxxcC4vHauavAAAA", &settings, via, start);
        Self {
            connection,
            settings,
            start,
            now: start,
        }
    }

    /// One step: `get`, `get gone`, `post BODY`, `ws`, `ws gone`, `ws lost`, `text FRAME`, `binary FRAME`,
    /// `send TEXT`, `send-binary BYTES`, `close`, or `+MS` to let time pass. `|` stands for the separator.
    fn step(&mut self, line: &str) -> String {
        let (verb, data) = line.split_once(' ').unwrap_or((line, ""));
        let bytes = Bytes::from(data.replace('|', "\x1e"));
        let (connection, settings, now) = (&mut self.connection, &self.settings, self.now);
        let result = match (verb, data) {
            ("get", "") => connection.handle_poll(settings, now),
            ("post", _) => connection.handle_post(settings, &bytes, now),
            ("ws", "") => connection.handle_websocket(settings, now),
            (wait, _) if wait.starts_with('+') => return self.wait(wait[1..].parse().unwrap()),
            _ => {
                match (verb, data) {
                    ("get", "gone") => connection.handle_poll_gone(settings, now),
                    ("ws", "gone") => connection.handle_websocket_gone(settings, true, now),
                    ("ws", "lost") => connection.handle_websocket_gone(settings, false, now),
                    ("text", _) => connection.handle_text(settings, bytes, now),
                    ("binary", _) => connection.handle_binary(settings, bytes, now),
                    ("send", _) => connection.send(settings, &text(data), now),
                    ("send-binary", _) => connection.send(settings, &Packet::Binary(bytes), now),
                    ("close", _) => connection.close(settings, CloseReason::ServerClose, now),
                    _ => panic!("no such step: {line}"),
                }
                Ok(())
            }
        };
        let refusal = result
            .err()
            .map_or(String::new(), |refusal: Refusal| format!("  {refusal:?}\n"));
        refusal + &self.drain()
    }

    /// Lets time pass from one time-out to the next, as a driver would.
    pub(crate) fn wait(&mut self, ms: u64) -> String {
        let end = self.now + Duration::from_millis(ms);
        let mut transcript = String::new();
        while let Some(at) = self
            .connection
            .timeout()
            .map(Instant::from)
            .filter(|at| *at <= end)
        {
            self.now = at;
            self.connection.handle_timeout(&self.settings, at);
            for line in self.drain().lines() {
                writeln!(transcript, "{line} at {}", (at - self.start).as_millis()).unwrap();
            }
        }
        self.now = end;
        transcript
    }

    fn drain(&mut self) -> String {
        let mut transcript = String::new();
        while let Some(output) = self.connection.poll_output() {
            writeln!(transcript, "  {}", render(&output)).unwrap();
        }
        transcript
    }
}

fn render(output: &Output) -> String {
    let show = |bytes: &Bytes| String::from_utf8_lossy(bytes).replace('\x1e', "|");
    match output {
        Output::Poll(body) => format!("poll {}", show(body)),
        Output::Text(text) => format!("text {}", show(text)),
        Output::Binary(bytes) => format!("binary {bytes:?}"),
        Output::CloseWebSocket(code) => format!("close websocket {code:?}"),
        Output::Message(Message::Text(text)) => format!("message {}", show(text)),
        Output::Message(Message::Binary(bytes)) => format!("message {bytes:?}"),
        Output::Closed(reason) => format!("closed {reason:?}"),
    }
}

/// The reference server's defaults, with a payload and a queue small enough to overflow.
pub(crate) fn settings() -> Settings {
    Settings {
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(20),
        upgrade_timeout: Duration::from_secs(10),
        max_payload_bytes: 1000,
        polling: true,
        websocket: true,
        queue_bytes_max: 100,
    }
}

pub(crate) fn text(message: &str) -> Packet {
    Packet::Text(format!("4{message}").into())
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests need some origin for their virtual clock"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// Idle sessions are counted by the hundred thousand: 2.5 KB each in all.
#[test]
fn idle_connection_is_small() {
    assert!(size_of::<Connection>() <= 96, "{}", size_of::<Connection>());
}
