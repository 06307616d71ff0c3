use std::path::PathBuf;

use clap::Args;
use futures_util::{StreamExt, stream};

use crate::{client::Client, machine, node::Node};

#[derive(Args)]
pub(crate) struct Options {
    /// Idle sessions. Each takes a descriptor here and one in the server.
    #[arg(long, default_value_t = 5000)]
    sessions: usize,
    /// The app: its handler must know `join`, `echo` and `whoami`.
    #[arg(long, default_value = "examples/bench")]
    app: PathBuf,
}

/// Sessions that are opened first and not counted: what a server allocates once is not a session's.
const WARM_UP: usize = 500;

pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let node = Node::start(&options.app).await?;
    println!("{}", machine::describe());
    println!(
        "opening {WARM_UP} sessions to warm up, then {} more",
        options.sessions
    );
    let mut warm = open(&node, 0, WARM_UP).await?;
    asleep(&node).await?;
    let before = machine::resident_bytes(node.pid()?)?;
    let mut sessions = open(&node, WARM_UP, options.sessions).await?;
    asleep(&node).await?;
    let after = machine::resident_bytes(node.pid()?)?;
    println!("instances of the handler in memory: 0");
    println!(
        "idle WebSocket session (one room, recoverable, handler asleep): {:.2} KiB resident ({} sessions, {:.1} MiB \
         before, {:.1} MiB after)",
        (after.saturating_sub(before)) as f64 / 1024.0 / options.sessions as f64,
        options.sessions,
        before as f64 / 1_048_576.0,
        after as f64 / 1_048_576.0,
    );
    // The sockets are open, not forgotten: each can still speak, and wakes the handler.
    for client in warm.iter_mut().take(1).chain(sessions.iter_mut().take(1)) {
        let answer = client.call(r#"["echo","awake"]"#).await?;
        anyhow::ensure!(answer == r#"["awake"]"#, "a session that slept answered {answer}");
    }
    println!("and awake again: both asked sessions answered");
    Ok(())
}

async fn open(node: &Node, first: usize, count: usize) -> anyhow::Result<Vec<Client>> {
    let opening = (first..first + count).map(|number| async move {
        let mut client = Client::join(node.address, "bench").await?;
        client
            .call(&format!(r#"["join","room-{}"]"#, number / 10))
            .await?;
        anyhow::Ok(client)
    });
    let opened: Vec<_> = stream::iter(opening).buffer_unordered(64).collect().await;
    opened.into_iter().collect()
}

/// Waits until no instance of the handler is in memory.
async fn asleep(node: &Node) -> anyhow::Result<()> {
    while node.metric("wakeline_instances{").await? > 0.0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(())
}
