//! Real servers on free ports, in directories that go with them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking"
)]
use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// One nats-server with JetStream. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    directory: PathBuf,
    arguments: Vec<String>,
    /// Given to the server that made it; a cluster's belongs to the cluster.
    _own: Option<TempDir>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let own = tempfile::tempdir().unwrap();
        let directory = own.path().to_owned();
        Self::start_in(&directory, Vec::new(), Some(own))
    }

    fn start_in(directory: &Path, arguments: Vec<String>, own: Option<TempDir>) -> Self {
        let port = free_port();
        let child = spawn(directory, port, &arguments);
        let server = Self {
            child,
            port,
            directory: directory.to_owned(),
            arguments,
            _own: own,
        };
        server.until_up();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// As kill -9 does.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// On the same port, with what the disk has.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.directory, self.port, &self.arguments);
        self.until_up();
    }

    pub(crate) fn signal(&self, signal: &str) {
        let process = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &process]).status().unwrap();
        assert!(sent.success());
    }

    fn until_up(&self) {
        let began = Instant::now();
        while TcpStream::connect(self.address()).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "nats-server does not come up"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Three servers that know each other.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
    _directory: TempDir,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let routes: Vec<u16> = (0..3).map(|_| free_port()).collect();
        let all: Vec<String> = routes
            .iter()
            .map(|port| format!("nats://127.0.0.1:{port}"))
            .collect();
        let servers = routes.iter().enumerate().map(|(number, port)| {
            let own = directory.path().join(number.to_string());
            fs::create_dir(&own).unwrap();
            let arguments = [
                "--server_name",
                &format!("n{number}"),
                "--cluster_name",
                "test",
                "--cluster",
                &format!("nats://127.0.0.1:{port}"),
                "--routes",
                &all.join(","),
            ];
            Server::start_in(&own, arguments.map(str::to_owned).to_vec(), None)
        });
        Self {
            servers: servers.collect(),
            _directory: directory,
        }
    }

    pub(crate) fn urls(&self) -> String {
        let urls: Vec<String> = self.servers.iter().map(Server::url).collect();
        urls.join(",")
    }
}

fn spawn(directory: &Path, port: u16, arguments: &[String]) -> Child {
    let log = fs::File::create(directory.join("log")).unwrap();
    let spawned = Command::new("nats-server")
        .args(["-js", "-a", "127.0.0.1", "-p", &port.to_string()])
        .arg("-sd")
        .arg(directory.join("data"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    spawned.expect("nats-server is not on PATH: cargo xtask nats installs it")
}

/// Free when looked at; servers that are to come back to theirs cannot take port 0.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
