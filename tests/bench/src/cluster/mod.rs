//! Several nodes beside several processes of Node's socket.io: what a delivery costs, and how long it takes through
//! another node.
mod latency;
mod load;
mod nats;
mod stack;
mod table;

use std::{fs, path::PathBuf};

use clap::Args;

use self::{
    stack::{Kind, Stack},
    table::Row,
};
use crate::{peers::Peer, run::Part};

#[derive(Args)]
pub(crate) struct Options {
    /// Clients that listen: in rooms of ten, and all of them in one room.
    #[arg(long, default_value_t = 1000)]
    pub(crate) listeners: usize,
    /// Seconds that each figure is measured for.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// Emits whose way through another node is timed, and as many messages of core NATS.
    #[arg(long, default_value_t = 3000)]
    pub(crate) emits: usize,
    /// The app: its handler must know `join` and `say`.
    #[arg(long, default_value = "examples/bench")]
    app: PathBuf,
    /// The program measured [default: the one built beside this]
    #[arg(long)]
    wakeline: Option<PathBuf>,
    /// Only stacks whose name has this in it: `node`, `NATS`, `alone`, …
    #[arg(long, default_value = "")]
    only: String,
    /// Only three nodes.
    #[arg(long)]
    pub(crate) only_three: bool,
    /// No figures of fan-out.
    #[arg(long)]
    only_latency: bool,
    /// Leave what the processes wrote and said, and tell where.
    #[arg(long)]
    keep: bool,
}

/// What is measured, in the order in which it is: ours and theirs in turn, since machines drift.
const STACKS: &[(Kind, usize)] = &[
    (Kind::Alone, 1),
    (Kind::Node, 1),
    (Kind::Nats { servers: 1 }, 1),
    (Kind::NodeRedis, 1),
    (Kind::Nats { servers: 1 }, 2),
    (Kind::NodeRedis, 2),
    (Kind::Nats { servers: 1 }, 3),
    (Kind::NodeRedis, 3),
    (Kind::NodeStreams, 3),
];

/// What three nodes of ours and of Node's with Redis took, as parts of a run.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Vec<(Peer, Part)>> {
    let place = Place::new(options)?;
    let mut rows = Vec::new();
    if !options.only_latency {
        let stacks = STACKS.iter().filter(|(kind, nodes)| {
            kind.name().contains(&options.only) && (!options.only_three || *nodes == 3)
        });
        for (kind, nodes) in stacks {
            let stack = Stack::start(*kind, *nodes, &place)?;
            rows.extend(fan_out(&stack, options).await?);
        }
        table::print(&rows);
    }
    for servers in [1, 3] {
        let stack = Stack::start(Kind::Nats { servers }, 2, &place)?;
        latency::measure(&stack, options.emits).await?;
    }
    Ok(table::parts(&rows))
}

async fn fan_out(stack: &Stack, options: &Options) -> anyhow::Result<Vec<Row>> {
    println!("{}: {} listeners", stack.describe(), options.listeners);
    let crowd = load::Crowd::gather(stack, options.listeners).await?;
    let mut rows = Vec::new();
    for rooms in [load::Rooms::OfTen, load::Rooms::OfTenPaced, load::Rooms::One] {
        let figures = crowd.measure(rooms, stack, options.seconds).await?;
        rows.push(Row {
            stack: stack.kind,
            nodes: stack.nodes.len(),
            rooms,
            figures,
        });
    }
    Ok(rows)
}

/// Where the processes are started from and keep their things; goes when dropped.
pub(crate) struct Place {
    wakeline: PathBuf,
    app: PathBuf,
    directory: PathBuf,
    keep: bool,
}

impl Place {
    fn new(options: &Options) -> anyhow::Result<Self> {
        let beside = std::env::current_exe()?.with_file_name("wakeline");
        let directory = std::env::temp_dir().join(format!("wakeline-bench-cluster-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        Ok(Self {
            wakeline: options.wakeline.clone().unwrap_or(beside),
            app: fs::canonicalize(&options.app)?,
            directory,
            keep: options.keep,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.keep {
            println!("left in {}", self.directory.display());
        } else {
            _ = fs::remove_dir_all(&self.directory);
        }
    }
}
