//! A cluster with a swarm on it.
use std::{thread, time::Duration};

use ::cluster::{Cluster, Options};
use parking_lot::{Mutex, MutexGuard};

use super::{
    checker::Verdict,
    history::History,
    swarm::{Swarm, SwarmOptions},
};
use crate::harness::{AppDir, FaultProxy, binary, report, target};

/// Three nodes, three NATS servers with a proxy before each of them for every node, nginx, and clients in traffic.
pub(crate) struct Storm {
    name: &'static str,
    clients: usize,
    seed: u64,
    pub(crate) swarm: Swarm,
    pub(crate) cluster: Cluster,
    /// By node: between it and each NATS server.
    pub(crate) links: Vec<Vec<FaultProxy>>,
    _app: AppDir,
    _alone: MutexGuard<'static, ()>,
}

/// One cluster at a time: two cores carry no more.
static ALONE: Mutex<()> = Mutex::new(());

pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock()
}

const ROOMS: usize = 30;
/// Messages a second, each for twenty clients.
const RATE: u32 = 100;

/// Quick, so that a client whose connection hangs need not be waited for long.
const ENGINE: &str = "[engine]\nping_interval_ms = 5000\nping_timeout_ms = 4000\n";

impl Storm {
    /// Starts everything; clients are not connected yet.
    pub(crate) fn gather(name: &'static str, clients: usize) -> Self {
        let alone = alone();
        let app = AppDir::probe(ENGINE);
        let mut links: Vec<Vec<FaultProxy>> = Vec::new();
        let options = Options {
            binary: binary(),
            apps: vec![app.path()],
            nats: 3,
            nodes: 3,
            at_once: false,
            arguments: Vec::new(),
            directory: target().join("cluster").join(name),
        };
        let cluster = Cluster::start(&options, |node, server| {
            let proxy = FaultProxy::new(server);
            let address = proxy.address.to_string();
            links.resize_with(links.len().max(node + 1), Vec::new);
            links[node].push(proxy);
            address
        });
        let cluster = cluster.unwrap_or_else(|error| panic!("{error:#}"));
        let seed = seed();
        let swarm = Swarm::start(&SwarmOptions {
            url: &cluster.url(),
            clients,
            rooms: ROOMS,
            seed,
        });
        Self {
            name,
            clients,
            seed,
            swarm,
            cluster,
            links,
            _app: app,
            _alone: alone,
        }
    }

    /// The same, with 300 clients connected and talking.
    pub(crate) fn in_traffic(name: &'static str) -> Self {
        let mut storm = Self::gather(name, 300);
        storm.swarm.connect(50);
        storm.swarm.talk(RATE);
        storm.swarm.accepted(RATE);
        storm
    }

    /// A node is cut off from NATS by `what` (`cut`: resets; `stall`: silence), or no longer (`heal`).
    pub(crate) fn link(&self, node: usize, what: &str) {
        self.links[node].iter().for_each(|link| link.grant(what));
    }

    /// Until every client is where it should be, and messages are accepted.
    pub(crate) fn recovers(&mut self) {
        self.swarm.settled();
        self.swarm.accepted(RATE);
    }

    /// Judges what the clients went through: nothing may be wrong, and all must have been recovered.
    pub(crate) fn passes(mut self) -> Verdict {
        let history = self.swarm.report();
        let file = target().join("cluster").join(self.name).join("history.json");
        std::fs::write(file, history.to_string()).unwrap();
        let history: History = serde_json::from_value(history).unwrap();
        let verdict = Verdict::of(&history);
        let nats = &self.cluster.nats.version;
        report::figure(&format!(
            "{}: {} clients, {ROOMS} rooms, three nodes, {nats} ×3, seed {}: {verdict}",
            self.name, self.clients, self.seed
        ));
        for (what, count) in &history.errors {
            println!("    {count} × {what}");
        }
        let findings = verdict.findings.join("\n");
        assert!(verdict.is_flawless(), "{verdict}\n{findings}");
        assert_eq!(verdict.returns, verdict.recovered, "{verdict}");
        verdict
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        eprintln!("---- seed {}: WAKELINE_CHAOS_SEED repeats it", self.seed);
        for node in &self.cluster.nodes {
            eprintln!(
                "---- {}\n{}",
                node.process.log.display(),
                node.process.last_words(40)
            );
        }
        for server in &self.cluster.nats.servers {
            eprintln!(
                "---- {}\n{}",
                server.process.log.display(),
                server.process.last_words(10)
            );
        }
    }
}

/// A span of time that is itself what is tested: how long a fault lasts. Nothing announces its end.
pub(crate) fn lasts(seconds: u64) {
    thread::sleep(Duration::from_secs(seconds));
}

fn seed() -> u64 {
    let given = std::env::var("WAKELINE_CHAOS_SEED").ok();
    given.map_or(1, |text| text.parse().expect("WAKELINE_CHAOS_SEED is a number"))
}
