use std::{fs, net::SocketAddr, path::Path, time::Duration};

use ::cluster::{Nats, Node, NodeOptions, Process, free_port, get, until};
use anyhow::Context;

use super::Place;
use crate::{machine, peers::install};

/// A server as somebody would run it, and what it needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Wakeline, its backplane in its data folder.
    Alone,
    /// Wakeline on so many NATS servers.
    Nats { servers: usize },
    /// Node's socket.io without an adapter.
    Node,
    /// The same with its Redis adapter: publish and subscribe, no recovery.
    NodeRedis,
    /// The same with its Redis streams adapter, connection state recovery on.
    NodeStreams,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alone => "wakeline, alone",
            Self::Nats { servers: 1 } => "wakeline, one NATS",
            Self::Nats { .. } => "wakeline, three NATS",
            Self::Node => "node, alone",
            Self::NodeRedis => "node, Redis adapter",
            Self::NodeStreams => "node, Redis streams",
        }
    }
}

/// Running processes; ended when dropped.
pub(crate) struct Stack {
    pub(crate) kind: Kind,
    /// Where clients connect, one of each node.
    pub(crate) nodes: Vec<SocketAddr>,
    pub(crate) nats: Option<Nats>,
    /// What comes before `/socket.io/`.
    pub(crate) app: &'static str,
    ours: Vec<Node>,
    theirs: Vec<Process>,
    redis: Option<Process>,
}

/// Until a process serves, on a busy machine.
const READY: Duration = Duration::from_mins(2);

impl Stack {
    /// Starts it and waits until every node serves.
    pub(crate) fn start(kind: Kind, nodes: usize, place: &Place) -> anyhow::Result<Self> {
        let mut stack = Self {
            kind,
            nodes: Vec::new(),
            nats: None,
            app: "",
            ours: Vec::new(),
            theirs: Vec::new(),
            redis: None,
        };
        let directory = &place.directory.join(free_port()?.to_string());
        fs::create_dir_all(directory)?;
        match kind {
            Kind::Alone => stack.start_ours(nodes, place, directory)?,
            Kind::Nats { servers } => {
                stack.nats = Some(Nats::start(servers, directory)?);
                stack.start_ours(nodes, place, directory)?;
            }
            Kind::Node => stack.start_theirs(nodes, "none", directory)?,
            Kind::NodeRedis => stack.start_theirs(nodes, "redis", directory)?,
            Kind::NodeStreams => stack.start_theirs(nodes, "streams", directory)?,
        }
        Ok(stack)
    }

    pub(crate) fn describe(&self) -> String {
        format!("{}, {} node(s)", self.kind.name(), self.nodes.len())
    }

    /// Processor time that the servers and what is between them have used.
    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        let ours = self.ours.iter().map(|node| node.process.id());
        let theirs = self.theirs.iter().map(Process::id);
        let nats = self.nats.iter().flat_map(|nats| &nats.servers);
        let nats = nats.map(|server| server.process.id());
        let redis = self.redis.iter().map(Process::id);
        let sum = |mut ids: Box<dyn Iterator<Item = u32> + '_>| {
            ids.try_fold(Duration::ZERO, |sum, id| anyhow::Ok(sum + machine::cpu_time(id)?))
        };
        Ok(Used {
            servers: sum(Box::new(ours.chain(theirs)))?,
            broker: sum(Box::new(nats.chain(redis)))?,
        })
    }

    /// What our nodes counted that ought not to have been: a call that ran into a limit was not accepted, and its
    /// message is not missing.
    pub(crate) fn failures(&self) -> String {
        let of_node = |node: &Node| {
            let (_, metrics) = get(&node.admin, "/metrics").unwrap_or_default();
            let told = metrics.lines().filter(|line| {
                let call = line.starts_with("wakeline_calls_total") && !line.contains("outcome=\"ok\"");
                call || line.starts_with("wakeline_overflows_total") || line.starts_with("wakeline_nats_")
            });
            format!("{}: {}", node.name, told.collect::<Vec<_>>().join("; "))
        };
        let nodes: Vec<_> = self.ours.iter().map(of_node).collect();
        format!("not everything was heard. {}", nodes.join(". "))
    }

    fn start_ours(&mut self, nodes: usize, place: &Place, directory: &Path) -> anyhow::Result<()> {
        self.app = "bench";
        let servers = self.nats.as_ref().map_or(&[][..], |nats| &nats.servers);
        for number in 0..nodes {
            // Each its own server, as far as there are: what goes between nodes goes between servers too.
            let server = servers.get(number % servers.len().max(1));
            let nats = server.map(|server| format!("nats://{}", server.address));
            self.ours.push(Node::start(&NodeOptions {
                binary: &place.wakeline,
                apps: std::slice::from_ref(&place.app),
                name: format!("node-{}", number + 1),
                directory,
                nats: nats.unwrap_or_default(),
                replicas: servers.len(),
                // As many threads that serve as a Node process has.
                arguments: &["--cores".to_owned(), "1".to_owned()],
            })?);
        }
        for node in &mut self.ours {
            node.wait_until_ready()?;
            self.nodes.push(node.address.parse()?);
        }
        Ok(())
    }

    fn start_theirs(&mut self, nodes: usize, adapter: &str, directory: &Path) -> anyhow::Result<()> {
        install::node_packages()?;
        let port = free_port()?;
        if adapter != "none" {
            let words = ["--port", &port.to_string(), "--save", "", "--bind", "127.0.0.1"];
            let words = words.map(Into::into).to_vec();
            let redis = Process::start("redis", install::redis()?, words, directory)?;
            until(READY, "redis ready", || {
                Ok(std::net::TcpStream::connect(("127.0.0.1", port)).ok())
            })?;
            self.redis = Some(redis);
        }
        for number in 1..=nodes {
            let own = free_port()?;
            let program = install::javascript().join("server.mjs");
            let words = vec![
                program.into(),
                own.to_string().into(),
                adapter.into(),
                port.to_string().into(),
            ];
            let name = format!("socket.io-{number}");
            let mut process =
                Process::start(&name, "node", words, directory).context("Node 20 or later is needed")?;
            let address = format!("127.0.0.1:{own}");
            until(READY, &format!("{name} ready"), || {
                process.must_run()?;
                Ok(get(&address, "/").ok())
            })?;
            self.theirs.push(process);
            self.nodes.push(address.parse()?);
        }
        Ok(())
    }
}

/// Processor time, user and system.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    pub(crate) servers: Duration,
    /// Of NATS or Redis, all servers.
    pub(crate) broker: Duration,
}
