//! A cluster of real processes on this machine: nats-servers, Wakeline nodes, nginx before them. For the tests that
//! kill them, and for the demo.
//!
//! Everything listens on 127.0.0.1, on ports that are picked once and kept over a restart. Everything ends when it is
//! dropped. What the processes say is in files of one folder.
mod chat;
mod http;
mod nats;
mod nginx;
mod node;
mod ports;
mod process;
mod wait;

pub use chat::copy_chat;
pub use http::get;
pub use nats::{Nats, NatsServer};
pub use nginx::Nginx;
pub use node::{Node, NodeOptions};
pub use ports::free_port;
pub use process::Process;
pub use wait::until;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

/// NATS, nodes and the balancer, in the order in which they may end.
pub struct Cluster {
    pub nginx: Nginx,
    pub nodes: Vec<Node>,
    pub nats: Nats,
}

/// What a cluster is made of.
pub struct Options {
    /// The `wakeline` program.
    pub binary: PathBuf,
    /// Folders of the apps, the same on every node.
    pub apps: Vec<PathBuf>,
    /// 1, or 3: a cluster of them.
    pub nats: usize,
    pub nodes: usize,
    /// Whether no node waits for the first one to have made the streams.
    pub at_once: bool,
    /// More words for `wakeline serve`.
    pub arguments: Vec<String>,
    /// Emptied first; data and logs of all processes are left there.
    pub directory: PathBuf,
}

impl Cluster {
    /// Starts everything and waits until every node is ready. `through` gives the address at which a node (its number)
    /// finds a NATS server (its address), for those who put a proxy between.
    pub fn start(options: &Options, mut through: impl FnMut(usize, &str) -> String) -> Result<Self> {
        let directory = &options.directory;
        // Of the run before.
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let nats = Nats::start(options.nats, directory)?;
        let mut nodes: Vec<Node> = Vec::new();
        for number in 0..options.nodes {
            let servers = nats.servers.iter();
            let urls: Vec<String> = servers
                .map(|server| format!("nats://{}", through(number, &server.address)))
                .collect();
            let mut node = Node::start(&NodeOptions {
                binary: &options.binary,
                apps: &options.apps,
                name: format!("node-{}", number + 1),
                directory: &options.directory,
                nats: urls.join(","),
                replicas: if options.nats >= 3 { 3 } else { 1 },
                arguments: &options.arguments,
            })?;
            if number == 0 && !options.at_once {
                node.wait_until_ready()?;
            }
            nodes.push(node);
        }
        for node in &mut nodes {
            node.wait_until_ready()?;
        }
        for node in nodes.iter_mut().filter(|_| options.nodes > 1) {
            node.wait_for_nodes(options.nodes)?;
        }
        let addresses: Vec<String> = nodes.iter().map(|node| node.address.clone()).collect();
        let nginx = Nginx::start(&options.directory, &addresses)?;
        Ok(Self { nginx, nodes, nats })
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        self.nginx.url()
    }
}

#[cfg(test)]
mod tests;
