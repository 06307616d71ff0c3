use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{binary, component};

/// Somebody who uses `wakeline`, with a home of their own, in which they work.
pub(super) struct Person {
    home: TempDir,
    variables: Vec<(&'static str, String)>,
}

/// What a command came to.
pub(super) struct Outcome {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Person {
    pub(super) fn new() -> Self {
        Self {
            home: TempDir::new().unwrap(),
            variables: Vec::new(),
        }
    }

    /// One who is in the folder of an app called `greeter`, whose component is there, and one file.
    pub(super) fn with_greeter() -> Self {
        let person = Self::new();
        let manifest = "name = \"greeter\"\ncomponent = \"x.wasm\"\n[assets]\ndir = \"public\"\n[build]\ncommand = \"true\"\n";
        person.write("wakeline.toml", manifest);
        fs::copy(component("tests/it/probe", "probe"), person.home().join("x.wasm")).unwrap();
        fs::create_dir(person.home().join("public")).unwrap();
        person.write("public/index.html", "hello");
        person
    }

    pub(super) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        fs::write(self.home().join(file), text).unwrap();
    }

    pub(super) fn set(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// `wakeline WORDS…` as they would start it; nothing of the test's own variables is in it.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.home())
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it to its end, with `stdin` to read.
    pub(super) fn run(&self, words: &[&str], stdin: &str) -> Outcome {
        let mut command = self.command(&binary());
        command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read is none of this one's business.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let outcome = Outcome {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        };
        // Guests may.
        assert!(!outcome.err.contains("thread 'main'"), "{}", outcome.err);
        outcome
    }

    /// The same with a host and a token named; the token is not said.
    pub(super) fn at(&self, url: &str, token: &str, words: &[&str]) -> Outcome {
        let file = self.home().join("token");
        fs::write(&file, token).unwrap();
        let mut all = words.to_vec();
        all.extend(["--host", url, "--token-file", file.to_str().unwrap()]);
        let outcome = self.run(&all, "");
        assert!(!outcome.err.contains(token), "{}", outcome.err);
        outcome
    }
}

impl Outcome {
    pub(super) fn check(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is missing in:\n{}", self.err);
        }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{}", self.out))
    }
}
