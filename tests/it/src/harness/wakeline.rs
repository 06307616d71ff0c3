//! The real binary, on a free port.
use std::{
    ffi::OsString,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{AppDir, Output, target};

/// How long a server may take until it listens; `dev` builds the app first, on a busy machine.
const READY: Duration = Duration::from_mins(4);

/// A running `wakeline`; killed when dropped, its log shown if the test failed.
pub(crate) struct Wakeline {
    child: Child,
    pub(crate) output: Output,
    arguments: Vec<OsString>,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
}

/// The program under test.
pub(crate) fn binary() -> PathBuf {
    let binary = target().join("release/wakeline");
    assert!(
        binary.exists(),
        "{} is missing: cargo build --release -p wakeline",
        binary.display()
    );
    binary
}

impl Wakeline {
    /// `wakeline dev DIR`: the app answers at the root.
    pub(crate) fn dev(directory: &Path) -> Self {
        Self::start(vec![
            "dev".into(),
            directory.into(),
            "--listen".into(),
            "127.0.0.1:0".into(),
        ])
    }

    /// The same, with data that survives the process.
    pub(crate) fn dev_in(directory: &Path, data: &Path) -> Self {
        let mut arguments: Vec<OsString> = vec!["dev".into(), directory.into(), "--listen".into()];
        arguments.extend(["127.0.0.1:0".into(), "--data".into(), data.into()]);
        Self::start(arguments)
    }

    /// `wakeline serve DIR…`: each app answers below its name. `data` survives the process.
    pub(crate) fn serve(apps: &[&AppDir], data: &Path) -> Self {
        let mut arguments: Vec<OsString> = vec!["serve".into()];
        arguments.extend(apps.iter().map(|app| app.path().into()));
        for word in ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"] {
            arguments.push(word.into());
        }
        arguments.push(data.into());
        Self::start(arguments)
    }

    fn start(arguments: Vec<OsString>) -> Self {
        let mut command = Command::new(binary());
        command
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = Output::of(&mut child);
        let mut wakeline = Self {
            child,
            output,
            arguments,
            address: String::new(),
        };
        wakeline.address = wakeline.wait_until_ready();
        wakeline
    }

    /// Reads the address out of `listening on http://ADDR`.
    fn wait_until_ready(&self) -> String {
        let address = self.output.wait(READY, |line| {
            let at = line.split_once("listening on http://")?.1;
            Some(at.split(['/', ',', ' ']).next()?.to_owned())
        });
        address.unwrap_or_else(|| panic!("wakeline did not get ready:\n{}", self.output.text()))
    }

    /// Where operators ask: `http://127.0.0.1:PORT`.
    pub(crate) fn admin(&self) -> String {
        let admin = self.output.wait(READY, |line| {
            let at = line.split_once("admin on ")?.1;
            Some(at.split([' ', ',']).next()?.trim_end_matches('/').to_owned())
        });
        admin.unwrap_or_else(|| {
            panic!(
                "wakeline said nothing of its admin listener:\n{}",
                self.output.text()
            )
        })
    }

    /// One of an app's numbers, as operators scrape them: `wakeline_NAME{app="APP"}`. Of `serve`.
    pub(crate) fn metric(&self, name: &str, app: &str) -> f64 {
        let data = self.arguments.iter().position(|word| word == "--data").unwrap();
        let token = Path::new(&self.arguments[data + 1]).join("admin-token");
        let token = std::fs::read_to_string(token).unwrap();
        let admin = self.admin();
        let mut stream = TcpStream::connect(admin.trim_start_matches("http://")).unwrap();
        let request = format!(
            "GET /metrics HTTP/1.1\r\nhost: wakeline\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            token.trim()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let start = format!("wakeline_{name}{{app=\"{app}\"}} ");
        let number = answer.lines().find_map(|line| line.strip_prefix(&start));
        let number = number.unwrap_or_else(|| panic!("no {start}in {answer}"));
        number.trim().parse().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// SIGKILL: no goodbye to anyone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn terminate(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }

    /// Starts it again after a kill, with the same data on the same port.
    pub(crate) fn start_again(&mut self) {
        let mut arguments = self.arguments.clone();
        let listen = arguments.iter().position(|word| word == "--listen").unwrap();
        arguments[listen + 1] = self.address.clone().into();
        *self = Self::start(arguments);
    }
}

impl Drop for Wakeline {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- wakeline {:?}\n{}", self.arguments, self.output.text());
        }
    }
}
