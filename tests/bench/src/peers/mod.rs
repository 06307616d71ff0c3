//! Servers side by side: each a process tree on one core, all the same small chat.
pub(crate) mod install;
mod start;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use ::cluster::{Process, get};
use anyhow::Context;

pub(crate) use self::install::versions;
use crate::{
    client::{Client, Target},
    machine::{self, Used},
};

/// A server that can be measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Peer {
    Wakeline,
    /// Wakeline, the app's recovery window 0.
    WakelinePlain,
    Epoll,
    Hyper,
    Socketioxide,
    Node,
    NodeRecovery,
    NodeRedis,
    Flask,
    FlaskNginx,
}

/// A running server; ended when dropped.
pub(crate) struct Running {
    /// Where clients connect: more than one if it is several servers without a proxy before them.
    pub(crate) targets: Vec<Target>,
    /// Where Wakeline tells its metrics.
    admin: Option<String>,
    processes: Vec<Process>,
    directory: PathBuf,
}

/// How a server is started.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    /// The cores that it may use, as `taskset` wants them; all if there is but one core.
    pub(crate) cores: Option<&'static str>,
    /// Threads that serve, where that can be told.
    pub(crate) threads: usize,
    /// Under callgrind, which counts when it is told to; Wakeline only.
    pub(crate) counted: bool,
}

pub(crate) const ONE_CORE: Setting = Setting {
    cores: Some("0"),
    threads: 1,
    counted: false,
};

/// Until memory does not move any more, at most.
const SETTLED_AFTER: Duration = Duration::from_secs(8);

impl Peer {
    pub(crate) const ALL: [Self; 10] = [
        Self::Wakeline,
        Self::WakelinePlain,
        Self::Epoll,
        Self::Hyper,
        Self::Socketioxide,
        Self::Node,
        Self::NodeRecovery,
        Self::NodeRedis,
        Self::Flask,
        Self::FlaskNginx,
    ];

    /// As it is asked for and as it stands in files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wakeline => "wakeline",
            Self::WakelinePlain => "wakeline-plain",
            Self::Epoll => "epoll",
            Self::Hyper => "hyper",
            Self::Socketioxide => "socketioxide",
            Self::Node => "node",
            Self::NodeRecovery => "node-recovery",
            Self::NodeRedis => "node-redis",
            Self::Flask => "flask",
            Self::FlaskNginx => "flask-nginx",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Wakeline => "Wakeline, Wasm handler, recovery on",
            Self::WakelinePlain => "Wakeline, recovery off",
            Self::Epoll => "raw epoll, own codec (the floor)",
            Self::Hyper => "bare hyper + hyper-tungstenite",
            Self::Socketioxide => "socketioxide, native handlers",
            Self::Node => "Node socket.io on ws",
            Self::NodeRecovery => "Node socket.io on ws, recovery on",
            Self::NodeRedis => "two Node servers + Redis adapter",
            Self::Flask => "Flask-SocketIO, gunicorn, eventlet",
            Self::FlaskNginx => "two Flask-SocketIO + nginx + Redis",
        }
    }

    /// Whether it does no more than the chat: no polling, no heartbeats, no limits.
    pub(crate) fn is_floor(self) -> bool {
        matches!(self, Self::Epoll | Self::Hyper)
    }

    /// Those that take a hundred times as long; they are asked for less.
    pub(crate) fn is_slow(self) -> bool {
        matches!(self, Self::Flask | Self::FlaskNginx)
    }

    /// Starts it and waits until it serves.
    pub(crate) async fn start(self, setting: &Setting) -> anyhow::Result<Running> {
        let mut running =
            start::start(self, setting).with_context(|| format!("{} does not start", self.name()))?;
        let ready = running.wait_until_ready().await;
        ready.with_context(|| format!("{} does not serve:\n{}", self.name(), running.last_words()))?;
        Ok(running)
    }
}

impl std::str::FromStr for Peer {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|peer| peer.name() == name);
        found.ok_or_else(|| format!("there are {}", names()))
    }
}

impl Running {
    /// The target of a client, by its number.
    pub(crate) fn target(&self, number: usize) -> anyhow::Result<&Target> {
        let target = self.targets.get(number % self.targets.len().max(1));
        target.context("a server without an address")
    }

    /// A client that has joined the default namespace.
    pub(crate) async fn join(&self, number: usize) -> anyhow::Result<Client> {
        Client::join_from(self.target(number)?, number, "").await
    }

    /// The process that was started first.
    pub(crate) fn main_pid(&self) -> anyhow::Result<u32> {
        self.processes.first().map(Process::id).context("no process")
    }

    /// Where it keeps its files; gone when this is dropped.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn pids(&self) -> Vec<u32> {
        let roots: Vec<u32> = self.processes.iter().map(Process::id).collect();
        machine::tree(&roots)
    }

    /// What the whole tree has used.
    pub(crate) fn used(&self) -> Used {
        Used::by(&self.pids())
    }

    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        self.pids().into_iter().map(machine::resident_bytes).sum()
    }

    /// The sum of what each process ever had.
    pub(crate) fn peak_bytes(&self) -> anyhow::Result<u64> {
        self.pids().into_iter().map(machine::peak_bytes).sum()
    }

    /// Resident memory once nothing goes on any more: Wakeline's handlers asleep, garbage collected as far as it is.
    pub(crate) async fn settled_bytes(&self) -> anyhow::Result<u64> {
        let deadline = tokio::time::Instant::now() + SETTLED_AFTER;
        loop {
            let (used, before) = (self.used(), self.resident_bytes()?);
            tokio::time::sleep(Duration::from_millis(500)).await;
            let busy = self.used().since(used).total() > Duration::from_millis(5);
            let moved = self.resident_bytes()?.abs_diff(before) > 32 << 10;
            let awake = self.metric("wakeline_instances{")?.unwrap_or(0.0) > 0.0;
            if !busy && !moved && !awake || tokio::time::Instant::now() > deadline && !awake {
                return self.resident_bytes();
            }
        }
    }

    /// A sample of Wakeline's metrics, labels summed over; none of the others.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<Option<f64>> {
        let Some(admin) = &self.admin else {
            return Ok(None);
        };
        let (_, text) = get(admin, "/metrics")?;
        let samples = text.lines().filter(|line| line.starts_with(name));
        let values = samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        Ok(Some(values.sum()))
    }

    /// The end of what its processes said.
    pub(crate) fn last_words(&self) -> String {
        let words = self.processes.iter().map(|process| process.last_words(8));
        words
            .filter(|words| !words.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        const READY: Duration = Duration::from_mins(1);
        let deadline = tokio::time::Instant::now() + READY;
        for number in 0..self.targets.len() {
            loop {
                for process in &mut self.processes {
                    process.must_run()?;
                }
                let joined = tokio::time::timeout(Duration::from_secs(5), self.join(number)).await;
                match joined {
                    Ok(Ok(_)) => break,
                    Ok(Err(error)) if tokio::time::Instant::now() > deadline => return Err(error),
                    Err(_) if tokio::time::Instant::now() > deadline => anyhow::bail!("it does not answer"),
                    _ => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // nginx and gunicorn have children, which would outlive a master that is killed. Nobody is asked to end well: what
        // a server does for those who leave is not what takes time here.
        let pids = self.pids().into_iter().map(|pid| pid.to_string());
        _ = Command::new("kill")
            .arg("-KILL")
            .args(pids)
            .stderr(Stdio::null())
            .status();
        self.processes.iter_mut().for_each(Process::kill);
        _ = fs::remove_dir_all(&self.directory);
    }
}
