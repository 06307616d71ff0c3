//! Many stock clients in one Node process, told what to do line by line: js/cluster/swarm.mjs.
use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{Output, root};

/// A guard against hanging, for whatever clients wait for.
const PATIENCE: Duration = Duration::from_mins(4);

pub(crate) struct Swarm {
    child: Child,
    input: ChildStdin,
    answers: Receiver<Value>,
    errors: Output,
}

pub(crate) struct SwarmOptions<'a> {
    pub(crate) url: &'a str,
    pub(crate) clients: usize,
    pub(crate) rooms: usize,
    pub(crate) seed: u64,
}

impl Swarm {
    pub(crate) fn start(options: &SwarmOptions<'_>) -> Self {
        let mut command = Command::new("node");
        command
            .arg("cluster/swarm.mjs")
            .current_dir(root().join("tests/it/js"))
            .env("WAKELINE_URL", options.url)
            .env("WAKELINE_PATH", "/probe/socket.io/")
            .env("CLIENTS", options.clients.to_string())
            .env("ROOMS", options.rooms.to_string())
            .env("SEED", options.seed.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let errors = Output::default();
        errors.collect(child.stderr.take().unwrap());
        let (sender, answers) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let answer = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(answer).is_err() {
                    break;
                }
            }
        });
        Self {
            input: child.stdin.take().unwrap(),
            child,
            answers,
            errors,
        }
    }

    /// Says `what` and waits until it is done.
    pub(crate) fn tell(&mut self, what: &str, options: Value) -> Value {
        self.send(what, options);
        match self.answer(what, PATIENCE) {
            Some(answer) => answer,
            None => panic!(
                "swarm: no end of {what} after {PATIENCE:?}\n{}",
                self.where_it_is()
            ),
        }
    }

    /// All connect, some at once; how it went.
    pub(crate) fn connect(&mut self, at_once: usize) -> Value {
        self.tell("connect", json!({ "atOnce": at_once }))
    }

    /// From now on so many messages a second are said, all clients together.
    pub(crate) fn talk(&mut self, rate: u32) {
        self.tell("talk", json!({ "rate": rate }));
    }

    /// Until so many more messages are accepted.
    pub(crate) fn accepted(&mut self, count: u32) {
        self.tell("accepted", json!({ "count": count }));
    }

    /// How many connections have been lost so far: asked before what loses more, for [`Self::cut_beyond`].
    pub(crate) fn cuts(&mut self) -> u64 {
        self.tell("cuts", json!({}))["count"].as_u64().unwrap()
    }

    /// Until more connections than so many have been lost.
    pub(crate) fn cut_beyond(&mut self, before: u64) {
        self.tell("cut", json!({ "before": before }));
    }

    /// Until every client is connected, in its rooms, and on its last transport.
    pub(crate) fn settled(&mut self) {
        self.tell("settled", json!({}));
    }

    /// Says no more, waits until everything has come, and tells the whole story: a [`super::history::History`].
    pub(crate) fn report(&mut self) -> Value {
        self.tell("stop", json!({}));
        self.tell("report", json!({}))
    }

    pub(crate) fn send(&mut self, what: &str, mut options: Value) {
        options["do"] = what.into();
        writeln!(self.input, "{options}")
            .unwrap_or_else(|error| panic!("swarm: {error}\n{}", self.errors.text()));
    }

    pub(crate) fn answer(&mut self, what: &str, limit: Duration) -> Option<Value> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left) {
                Ok(mut answer) => {
                    assert!(answer["problem"].is_null(), "swarm: {}", answer["problem"]);
                    if answer["to"] == what {
                        return Some(answer["done"].take());
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => return None,
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    panic!("swarm: ended during {what}\n{}", self.errors.text())
                }
            }
        }
    }

    /// The clients that are not where they should be.
    fn where_it_is(&mut self) -> String {
        self.send("where", json!({}));
        let Some(Value::Array(all)) = self.answer("where", Duration::from_secs(10)) else {
            return "it does not even answer".into();
        };
        let stuck = |client: &&Value| {
            client["connected"] != true || client["ready"] != true || client["transport"] != "websocket"
        };
        let stuck: Vec<String> = all.iter().filter(stuck).map(Value::to_string).collect();
        format!(
            "{} are stuck:\n{}",
            stuck.len(),
            stuck[..stuck.len().min(10)].join("\n")
        )
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let said = self.errors.text();
        if !said.is_empty() {
            eprintln!("---- swarm\n{said}");
        }
    }
}
