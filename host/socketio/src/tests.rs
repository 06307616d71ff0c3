//! Transcripts: what a client sends or the caller decides, one step a line, and below it what comes of it.
#![allow(clippy::needless_raw_string_hashes, reason = "expect-test writes them so")]

mod binary;
mod data;
mod encode;
mod namespaces;
mod packets;
mod properties;

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use bytes::Bytes;
use engineio::{Message, Packet};
use expect_test::Expect;

use crate::{Connection, EventData, Output};

/// Runs `steps` on a connection whose client has joined `/`: `binary BYTES`, `accept NSP`, `remove NSP`, `+MS`, and
/// anything else is a text message.
fn check(steps: &str, expected: &Expect) {
    expected.assert_eq(&Run::joined().steps(steps));
}

/// The same on a fresh connection.
fn check_fresh(steps: &str, expected: &Expect) {
    expected.assert_eq(&Run::new().steps(steps));
}

struct Run {
    connection: Connection,
    now: Instant,
}

impl Run {
    fn new() -> Self {
        let now = start();
        Self {
            connection: Connection::new(Duration::from_secs(45), now),
            now,
        }
    }

    fn joined() -> Self {
        let mut run = Self::new();
        run.steps("0\naccept /");
        run
    }

    fn steps(&mut self, steps: &str) -> String {
        let mut transcript = String::new();
        for line in steps.lines().map(str::trim).filter(|line| !line.is_empty()) {
            writeln!(transcript, "{line}").unwrap();
            transcript.push_str(&self.step(line));
        }
        transcript
    }

    fn step(&mut self, line: &str) -> String {
        let output = match line.split_once(' ') {
            Some(("accept", namespace)) => {
                self.connection.accept(namespace);
                None
            }
            Some(("remove", namespace)) => {
                self.connection.remove(namespace);
                None
            }
            Some(("binary", bytes)) => self.message(Message::Binary(Bytes::from(bytes.to_owned()))),
            _ => match line.strip_prefix('+') {
                Some(ms) => {
                    self.now += Duration::from_millis(ms.parse().unwrap());
                    self.connection.handle_timeout(self.now)
                }
                None => self.message(Message::Text(Bytes::from(line.to_owned()))),
            },
        };
        output.map_or(String::new(), |output| format!("  {}\n", render(&output)))
    }

    fn message(&mut self, message: Message) -> Option<Output> {
        self.connection.handle_message(message, self.now)
    }
}

fn render(output: &Output) -> String {
    match output {
        Output::Connect {
            namespace,
            auth,
            recovery,
        } => {
            let recovery = recovery
                .as_ref()
                .map_or(String::new(), |claim| format!(" {claim:?}"));
            format!("connect {namespace} {}{recovery}", auth.as_deref().unwrap_or("-"))
        }
        Output::Event { namespace, ack, data } => {
            let (name, args) = data.split();
            let ack = ack.map_or(String::new(), |id| format!(" ack {id}"));
            format!(
                "event {namespace} {name:?} {args}{}{ack}",
                render_attachments(data)
            )
        }
        Output::Ack { namespace, id, data } => {
            format!(
                "ack {namespace} {id} {}{}",
                data.array(),
                render_attachments(data)
            )
        }
        Output::Disconnect { namespace } => format!("disconnect {namespace}"),
        Output::Broken(violation) => format!("broken {violation:?}: {violation}"),
    }
}

fn render_attachments(data: &EventData) -> String {
    let mut rendered = String::new();
    for attachment in data.attachments() {
        write!(rendered, " {attachment:?}").unwrap();
    }
    rendered
}

/// Packets as they would stand in frames.
fn frames(packets: &[Packet]) -> String {
    let mut frames = String::new();
    for packet in packets {
        match packet {
            Packet::Text(text) => writeln!(frames, "{}", std::str::from_utf8(text).unwrap()).unwrap(),
            Packet::Binary(bytes) => writeln!(frames, "{bytes:?}").unwrap(),
        }
    }
    frames
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests need some origin for their virtual clock"
)]
fn start() -> Instant {
    Instant::now()
}

/// Idle sessions are counted by the hundred thousand: 2.5 KB each in all.
#[test]
fn idle_connection_is_small() {
    assert!(size_of::<Connection>() <= 56, "{}", size_of::<Connection>());
}
