//! A Wakeline node among others.
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{Process, free_port, get, until};

/// Until a node serves: it compiles the apps and finds NATS, on a busy machine.
const READY: Duration = Duration::from_mins(2);
/// More than a node takes to drain, whatever it was told.
const DRAINED: Duration = Duration::from_mins(2);

/// A `wakeline serve` process, on the same ports in all its lives.
pub struct Node {
    pub name: String,
    /// `127.0.0.1:PORT`, for clients.
    pub address: String,
    /// `127.0.0.1:PORT`, for operators.
    pub admin: String,
    pub process: Process,
}

pub struct NodeOptions<'a> {
    pub binary: &'a Path,
    pub apps: &'a [PathBuf],
    pub name: String,
    pub directory: &'a Path,
    /// URLs, separated by commas; empty for a node without NATS.
    pub nats: String,
    /// Copies of each stream. Told, since servers that do not advertise each other look like single ones.
    pub replicas: usize,
    /// More words for `wakeline serve`.
    pub arguments: &'a [String],
}

impl Node {
    /// Starts it and does not wait.
    pub fn start(options: &NodeOptions<'_>) -> Result<Self> {
        let mut words: Vec<OsString> = vec!["serve".into()];
        words.extend(options.apps.iter().map(|app| app.clone().into()));
        let here = |port: u16| format!("127.0.0.1:{port}");
        let (address, admin) = (here(free_port()?), here(free_port()?));
        let mut option = |name: &str, value: &str| words.extend([name.into(), value.into()]);
        option("--listen", &address);
        option("--admin", &admin);
        if !options.nats.is_empty() {
            option("--nats", &options.nats);
            option("--cluster-listen", &here(free_port()?));
            option("--nats-replicas", &options.replicas.to_string());
        }
        option("--node", &options.name);
        let data = options.directory.join(&options.name);
        words.extend(["--data".into(), data.into()]);
        words.extend(options.arguments.iter().map(OsString::from));
        Ok(Self {
            process: Process::start(&options.name, options.binary, words, options.directory)?,
            name: options.name.clone(),
            address,
            admin,
        })
    }

    pub fn is_ready(&self) -> bool {
        matches!(get(&self.admin, "/readyz"), Ok((200, _)))
    }

    /// A number of its metrics, `wakeline_` before the name; labels summed over; 0 if there is none such.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let (_, text) = get(&self.admin, "/metrics")?;
        let lines = text.lines().filter_map(|line| {
            let rest = line.strip_prefix("wakeline_")?.strip_prefix(name)?;
            let value = rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next())?;
            value?.parse::<f64>().ok()
        });
        Ok(lines.sum())
    }

    /// Until it sees so many nodes, itself included.
    pub fn wait_for_nodes(&mut self, count: usize) -> Result<()> {
        let what = format!("{count} nodes seen by {}", self.name);
        until(READY, &what, || {
            self.process.must_run()?;
            Ok(self
                .metric("nodes")
                .is_ok_and(|nodes| nodes as usize == count)
                .then_some(()))
        })
    }

    pub fn wait_until_ready(&mut self) -> Result<()> {
        let what = format!("{} ready", self.name);
        until(READY, &what, || {
            self.process.must_run()?;
            Ok(self.is_ready().then_some(()))
        })
        .with_context(|| self.process.last_words(20))
    }

    /// Until it says that it should be sent nobody.
    pub fn wait_until_unready(&mut self) -> Result<()> {
        let what = format!("{} unready", self.name);
        until(READY, &what, || {
            self.process.must_run()?;
            Ok((!self.is_ready()).then_some(()))
        })
    }

    /// SIGTERM; it must end well, its sessions having gone elsewhere.
    pub fn drain(&mut self) -> Result<()> {
        let status = self.process.terminate(DRAINED)?;
        anyhow::ensure!(
            status.success(),
            "{} ended with {status}:\n{}",
            self.name,
            self.process.last_words(20)
        );
        Ok(())
    }

    /// After it has ended: the same name, ports and data.
    pub fn start_again(&mut self) -> Result<()> {
        self.process.start_again()?;
        self.wait_until_ready()
    }
}
