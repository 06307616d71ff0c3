//! `cargo xtask demo`: the real thing on this machine, to be played with.
use std::{io::BufRead as _, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Subcommand;
use cluster::{Cluster, Node, Options, copy_chat};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::{guests, sh, tools};

#[derive(Subcommand)]
pub(crate) enum Demo {
    /// The chat on three nodes, three NATS servers and a round-robin nginx: kill a node in mid-chat.
    Cluster,
}

pub(crate) fn run(what: &Demo) -> Result<()> {
    match what {
        Demo::Cluster => cluster(),
    }
}

fn cluster() -> Result<()> {
    tools::install_for_cluster()?;
    guests::build()?;
    sh::step("building wakeline (wasmtime takes some minutes, once)");
    sh::run(sh::cargo().args(["build", "--release", "--package", "wakeline"]))?;
    sh::step("starting three NATS servers, three nodes and nginx");
    let directory = sh::target().join("demo");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // The app lies beside what `Cluster::start` empties.
    let app = copy_chat(&sh::root(), &sh::target().join("demo-app"))?;
    let mut cluster = Cluster::start(&options(app, directory), |_, server| server.to_owned())?;
    show(&cluster);
    runtime.block_on(play(&mut cluster))?;
    println!("\nending everything");
    Ok(())
}

fn options(app: PathBuf, directory: PathBuf) -> Options {
    Options {
        binary: sh::target().join("release/wakeline"),
        apps: vec![app],
        nats: 3,
        nodes: 3,
        at_once: false,
        arguments: Vec::new(),
        directory,
    }
}

fn show(cluster: &Cluster) {
    println!("\n    the chat   {}/chat/", cluster.url());
    for node in &cluster.nodes {
        println!(
            "    {}     http://{}, admin on http://{}, process {}",
            node.name,
            node.address,
            node.admin,
            node.process.id()
        );
    }
    for server in &cluster.nats.servers {
        println!(
            "    {}     nats://{}, process {}",
            server.name,
            server.address,
            server.process.id()
        );
    }
    println!("    {}", cluster.nats.version);
    println!(
        "\nOpen the chat in two windows and talk: every request goes to the next node. Type 1, 2 or 3 and Enter to\n\
         kill -9 that node in mid-chat, and again to start it: the windows reconnect to another one, and nothing is\n\
         missing. Or by hand: kill -STOP a node and kill -CONT it, or kill a NATS server. Ctrl-C ends everything."
    );
}

/// Until Ctrl-C or SIGTERM; meanwhile nodes die and come back as they are called.
async fn play(cluster: &mut Cluster) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut lines = lines();
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            Some(line) = lines.recv() => {
                let number = line.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                match number.and_then(|number| cluster.nodes.get_mut(number)) {
                    Some(node) => toggle(node)?,
                    None => println!("1, 2 or 3: which node?"),
                }
            }
        }
    }
}

fn toggle(node: &mut Node) -> Result<()> {
    if node.process.must_run().is_ok() {
        node.process.kill();
        println!("{} is dead", node.name);
        return Ok(());
    }
    node.start_again().context("a node does not start again")?;
    println!("{} is back", node.name);
    Ok(())
}

/// What is typed. Reading blocks, so a thread does it; it ends with the process.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
