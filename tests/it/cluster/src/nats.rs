//! nats-server with JetStream: one, or a cluster of them.
use std::{fmt::Write as _, fs, path::Path, process::Command, time::Duration};

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

    /// The number of the server that leads most streams; all of its own if there is but one. `None` while a leader is
    /// being elected.
    pub fn leader(&self) -> Result<Option<usize>> {
        let mut led = vec![0_usize; self.servers.len()];
        // Whoever answers knows the leaders of the streams that it has a copy of: with three servers, all.
        for server in &self.servers {
            let Ok((200, answer)) = get(&server.monitor, "/jsz?accounts=true&streams=true") else {
                continue;
            };
            for leader in leaders(&serde_json::from_str(&answer)?) {
                let number = self.servers.iter().position(|server| server.name == leader);
                if let Some(count) = number.and_then(|number| led.get_mut(number)) {
                    *count += 1;
                }
            }
        }
        let most = led.iter().enumerate().max_by_key(|(_, count)| **count);
        Ok(most.filter(|(_, count)| **count > 0).map(|(number, _)| number))
    }
}

/// The names of the servers that lead a stream, one for each stream.
fn leaders(answer: &Value) -> Vec<String> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let mut leaders = Vec::new();
    for account in list(answer.get("account_details")) {
        for stream in list(account.get("stream_detail")) {
            let leader = stream.pointer("/cluster/leader").and_then(Value::as_str);
            leaders.extend(leader.map(str::to_owned));
        }
    }
    leaders
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
            address: format!("127.0.0.1:{port}"),
            monitor: format!("127.0.0.1:{monitor}"),
        })
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
