//! A host that apps are deployed to, and the command line as their authors use it.
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{Wakeline, binary};

/// `wakeline serve` with a data folder of its own and no app.
pub(crate) struct Host {
    pub(crate) wakeline: Wakeline,
    /// `127.0.0.1:PORT`, for operators.
    pub(crate) admin: String,
    pub(crate) data: TempDir,
}

/// What a command said.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The admin listener's address is on the line that says that the host is ready.
const SAID: Duration = Duration::from_mins(1);

impl Host {
    pub(crate) fn start() -> Self {
        Self::start_in(TempDir::new().unwrap())
    }

    /// With data that is there already.
    pub(crate) fn start_in(data: TempDir) -> Self {
        let wakeline = Wakeline::serve(&[], data.path());
        Self::of(wakeline, data)
    }

    fn of(wakeline: Wakeline, data: TempDir) -> Self {
        let admin = wakeline.output.wait(SAID, |line| {
            let at = line.split_once("admin on http://")?.1;
            Some(at.split(['/', ',', ' ']).next()?.to_owned())
        });
        Self {
            admin: admin.unwrap(),
            wakeline,
            data,
        }
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.data.path().join("admin-token")
    }

    /// Runs `wakeline WORDS…` against this host in `directory`.
    pub(crate) fn run<W: AsRef<OsStr>>(&self, directory: &Path, words: &[W]) -> Ran {
        run(&self.admin, &self.token_file(), directory, words)
    }

    /// The same; it must succeed and print JSON.
    pub(crate) fn json<W: AsRef<OsStr>>(&self, directory: &Path, words: &[W]) -> Value {
        let mut all: Vec<&OsStr> = words.iter().map(AsRef::as_ref).collect();
        all.push(OsStr::new("--json"));
        let ran = self.run(directory, &all);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

/// Runs `wakeline WORDS…` against any host.
pub(crate) fn run<W: AsRef<OsStr>>(admin: &str, token_file: &Path, directory: &Path, words: &[W]) -> Ran {
    let output = Command::new(binary())
        .args(words)
        .current_dir(directory)
        .env("WAKELINE_HOST", format!("http://{admin}"))
        .env(
            "WAKELINE_TOKEN",
            std::fs::read_to_string(token_file).unwrap().trim(),
        )
        .env("XDG_CONFIG_HOME", directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
