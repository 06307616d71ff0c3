//! nats-server with JetStream: one, or a cluster of them.
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{Process, free_port, get, until};

/// Until a cluster has elected its meta leader, on a busy machine.
const READY: Duration = Duration::from_mins(2);

/// Servers that form a cluster if there are several.
pub struct Nats {
    pub servers: Vec<NatsServer>,
    /// As `nats-server --version` has it.
    pub version: String,
}

/// A nats-server process, its streams in files.
pub struct NatsServer {
    pub name: String,
    /// `127.0.0.1:PORT`, for clients.
    pub address: String,
    monitor: String,
    /// Its streams.
    store: PathBuf,
    pub process: Process,
}

impl Nats {
    /// Starts `count` servers and waits until they can keep streams.
    pub fn start(count: usize, directory: &Path) -> Result<Self> {
        let version = version()?;
        let routes = (0..count).map(|_| free_port()).collect::<Result<Vec<u16>>>()?;
        let mut servers = Vec::new();
        for number in 0..count {
            servers.push(NatsServer::start(number, &routes, directory)?);
        }
        let mut nats = Self { servers, version };
        nats.wait_until_ready()?;
        Ok(nats)
    }

    /// Until every server that should run can keep streams.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        self.servers.iter_mut().try_for_each(NatsServer::wait_until_ready)
    }

    /// The number of the server that leads the busiest of the streams whose names contain `word`. `None` while a leader
    /// is being elected, or if there is no such stream.
    pub fn leader_of(&self, word: &str) -> Result<Option<usize>> {
        let mut busiest = (0, None);
        // Each knows the streams that it has a copy of; with three servers, all.
        for server in &self.servers {
            let Ok((200, answer)) = get(&server.monitor, "/jsz?accounts=true&streams=true") else {
                continue;
            };
            for (name, entries, leader) in streams(&serde_json::from_str(&answer)?) {
                let number = self.servers.iter().position(|server| server.name == leader);
                if name.contains(word) && number.is_some() && entries >= busiest.0 {
                    busiest = (entries, number);
                }
            }
        }
        Ok(busiest.1)
    }
}

/// Name, last sequence and leader of each stream.
fn streams(answer: &Value) -> Vec<(String, u64, String)> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, path: &str| {
        let text = value.pointer(path).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let accounts = list(answer.get("account_details"));
    let streams = accounts
        .iter()
        .flat_map(|account| list(account.get("stream_detail")));
    let entries = |stream: &Value| stream.pointer("/state/last_seq").and_then(Value::as_u64);
    streams
        .map(|stream| {
            (
                text(&stream, "/name"),
                entries(&stream).unwrap_or_default(),
                text(&stream, "/cluster/leader"),
            )
        })
        .collect()
}

impl NatsServer {
    fn start(number: usize, routes: &[u16], directory: &Path) -> Result<Self> {
        let name = format!("nats-{}", number + 1);
        let (port, monitor) = (free_port()?, free_port()?);
        let store = directory.join(&name);
        fs::create_dir_all(&store)?;
        let mut config = format!(
            "server_name: {name}\nlisten: 127.0.0.1:{port}\nhttp: 127.0.0.1:{monitor}\n\
             jetstream {{ store_dir: \"{}\", max_file: 4G }}\n",
            store.display()
        );
        if let Some(own) = routes.get(number).filter(|_| routes.len() > 1) {
            let urls: Vec<String> = routes
                .iter()
                .map(|route| format!("nats://127.0.0.1:{route}"))
                .collect();
            // Not advertised: clients would learn a way round the proxies that stand between.
            let _ = writeln!(
                config,
                "cluster {{ name: wakeline, listen: 127.0.0.1:{own}, no_advertise: true, routes: {urls:?} }}"
            );
        }
        let file = directory.join(format!("{name}.conf"));
        fs::write(&file, config)?;
        let arguments = vec!["--config".into(), file.into()];
        Ok(Self {
            process: Process::start(&name, "nats-server", arguments, directory)?,
            name,
            store,
            address: format!("127.0.0.1:{port}"),
            monitor: format!("127.0.0.1:{monitor}"),
        })
    }

    /// Kills it, and starts it again with an empty disk.
    pub fn start_anew(&mut self) -> Result<()> {
        self.process.kill();
        fs::remove_dir_all(&self.store)?;
        self.process.start_again()?;
        self.wait_until_ready()
    }

    /// Until its JetStream is up to date.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let what = format!("{} ready", self.name);
        until(READY, &what, || {
            self.process.must_run()?;
            Ok(get(&self.monitor, "/healthz")
                .ok()
                .filter(|(status, _)| *status == 200))
        })
        .with_context(|| self.process.last_words(20))?;
        Ok(())
    }
}

fn version() -> Result<String> {
    let output = Command::new("nats-server")
        .arg("--version")
        .output()
        .context("nats-server is not on PATH (Debian: apt-get install nats-server)")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
