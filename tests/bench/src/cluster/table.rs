use crate::{figures::Figures as Read, goals, peers::Peer, run::Part};

use super::{
    load::{Figures, Rooms},
    stack::Kind,
};

/// One stack, one way of speaking.
pub(crate) struct Row {
    pub(crate) stack: Kind,
    pub(crate) nodes: usize,
    pub(crate) rooms: Rooms,
    pub(crate) figures: Figures,
}

/// The whole table, and ratios of ours to theirs.
pub(crate) fn print(rows: &[Row]) {
    for (rooms, title) in TITLES {
        println!("\n{title}");
        println!(
            "{:24} {:>6} {:>14} {:>16} {:>18} {:>8}",
            "", "nodes", "deliveries/s", "µs a delivery", "NATS or Redis, µs", "both"
        );
        for row in rows.iter().filter(|row| row.rooms == *rooms) {
            let figures = &row.figures;
            println!(
                "{:24} {:>6} {:>14.0} {:>16.2} {:>18.2} {:>8.2}",
                row.stack.name(),
                row.nodes,
                figures.rate(),
                figures.micros(figures.servers.as_secs_f64()),
                figures.micros(figures.broker.as_secs_f64()),
                figures.both(),
            );
        }
        ratios(rows, *rooms);
    }
}

/// Ours and Node's with Redis, three of each: processor time a delivery, brokers included.
pub(crate) fn parts(rows: &[Row]) -> Vec<(Peer, Part)> {
    let three = rows.iter().filter(|row| row.nodes == 3);
    let parts = three.filter_map(|row| {
        let peer = match row.stack {
            Kind::Nats { .. } => Peer::Wakeline,
            Kind::NodeRedis => Peer::NodeRedis,
            _ => return None,
        };
        let name = match row.rooms {
            Rooms::OfTen => goals::NODES[0],
            Rooms::OfTenPaced => goals::NODES[1],
            Rooms::One => goals::NODES[2],
        };
        let mut read = Read::default();
        read.set("cpu_us", row.figures.both());
        read.set("rate", row.figures.rate());
        Some((peer, (name, read)))
    });
    parts.collect()
}

/// Processor time is that of all servers; the clients share the machine with them.
const TITLES: &[(Rooms, &str)] = &[
    (
        Rooms::OfTen,
        "rooms of ten, flat out, the speaker of each on another node than its listeners",
    ),
    (
        Rooms::OfTenPaced,
        "the same at an even pace: ten messages a second in each room",
    ),
    (Rooms::One, "one room, flat out, its listeners on all nodes alike"),
];

fn ratios(rows: &[Row], rooms: Rooms) {
    let find = |stack: Kind, nodes: usize| {
        let mut found = rows.iter().filter(|row| row.rooms == rooms && row.nodes == nodes);
        found.find(|row| row.stack == stack).map(|row| &row.figures)
    };
    for (ours, theirs) in PAIRS {
        for nodes in 1..=3 {
            let (Some(our), Some(their)) = (find(*ours, nodes), find(*theirs, nodes)) else {
                continue;
            };
            let servers = |figures: &Figures| figures.micros(figures.servers.as_secs_f64());
            println!(
                "{} / {}, {nodes} node(s): processor time a delivery {:.2} (with NATS and Redis {:.2}), deliveries \
                 a second {:.2}",
                ours.name(),
                theirs.name(),
                servers(our) / servers(their),
                our.both() / their.both(),
                our.rate() / their.rate(),
            );
        }
    }
}

const PAIRS: &[(Kind, Kind)] = &[
    (Kind::Alone, Kind::Node),
    (Kind::Nats { servers: 1 }, Kind::NodeRedis),
    (Kind::Nats { servers: 1 }, Kind::NodeStreams),
];

impl Figures {
    fn rate(&self) -> f64 {
        self.deliveries as f64 / self.elapsed.as_secs_f64()
    }

    /// Of so many seconds, the share of a delivery.
    fn micros(&self, seconds: f64) -> f64 {
        seconds * 1e6 / self.deliveries.max(1) as f64
    }

    fn both(&self) -> f64 {
        self.micros((self.servers + self.broker).as_secs_f64())
    }
}
