//! Clients in other languages: a script per scenario, which may ask the test to do things to the world.
use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Output, report, root};

/// A script that speaks in JSON lines on its standard output: `{"ask": WHAT}`, to be answered by a line on its
/// standard input, `{"figure": TEXT}`, `{"skip": REASON}`. It exits with 0 if all that it checked held.
pub(crate) struct Script {
    command: Command,
    name: String,
    limit: Duration,
}

impl Script {
    /// `tests/it/js/<file>` with Node.
    pub(crate) fn node(file: &str) -> Self {
        let directory = root().join("tests/it/js");
        assert!(
            directory.join("node_modules").exists(),
            "Node packages are missing: cargo xtask test installs them"
        );
        Self::new("node", &directory, file)
    }

    /// `tests/it/python/<file>`.
    pub(crate) fn python(file: &str) -> Self {
        let directory = root().join("tests/it/python");
        let packages = directory.join(".venv");
        assert!(
            packages.exists(),
            "Python packages are missing: cargo xtask test installs them"
        );
        let mut script = Self::new("python3", &directory, file);
        script
            .command
            .env("PYTHONPATH", packages)
            .env("PYTHONUNBUFFERED", "1");
        script
    }

    fn new(program: &str, directory: &std::path::Path, file: &str) -> Self {
        let mut command = Command::new(program);
        command.arg(file).current_dir(directory);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self {
            command,
            name: file.to_owned(),
            limit: Duration::from_mins(3),
        }
    }

    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.name = format!("{} {argument}", self.name);
        self.command.arg(argument);
        self
    }

    pub(crate) fn variable(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self
    }

    /// The whole script's deadline.
    pub(crate) fn within(mut self, seconds: u64) -> Self {
        self.limit = Duration::from_secs(seconds);
        self
    }

    pub(crate) fn run(self) {
        self.run_with(|what| panic!("nobody here can {what}"));
    }

    /// Runs to the end; `grant` does what the script asks for.
    pub(crate) fn run_with(mut self, mut grant: impl FnMut(&str)) {
        let mut child = KillOnDrop(self.command.spawn().unwrap());
        let errors = Output::default();
        errors.collect(child.0.stderr.take().unwrap());
        let mut input = child.0.stdin.take().unwrap();
        let lines = lines_of(&mut child.0);
        let deadline = Instant::now() + self.limit;
        let mut transcript = String::new();
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let said: Value = serde_json::from_str(&line).unwrap_or_default();
                    if let Some(what) = said["ask"].as_str() {
                        grant(what);
                        let _ = writeln!(input, "done");
                    } else if let Some(text) = said["figure"].as_str() {
                        report::figure(text);
                    } else if let Some(reason) = said["skip"].as_str() {
                        report::skip(reason);
                    }
                    transcript.push_str(&line);
                    transcript.push('\n');
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    panic!(
                        "{}: no end after {:?}\n{transcript}{}",
                        self.name,
                        self.limit,
                        errors.text()
                    )
                }
            }
        }
        let status = child.0.wait().unwrap();
        assert!(
            status.success(),
            "{}: {status}\n{transcript}{}",
            self.name,
            errors.text()
        );
    }
}

fn lines_of(child: &mut Child) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let stdout = child.stdout.take().unwrap();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
