//! How long an emit takes through another node, beside what core NATS takes from client to client. One message is under
//! way at a time, of the one and of the other in turn, so that both meet the same machine.
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{nats::Core, stack::Stack};
use crate::client::Client;

const ROOM: &str = "room";
const SUBJECT: &str = "bench.latency";
const PAYLOAD: &str = "0123456789012345678901234567890123456789012345678901234567890123";
/// Not counted.
const WARM_UP: usize = 300;
/// The share of an emit that is ours, in milliseconds, at its median; see the README.
const GOALS_MS: [(usize, f64); 2] = [(1, 0.3), (3, 0.6)];

pub(crate) async fn measure(stack: &Stack, emits: usize) -> anyhow::Result<()> {
    let node = |number: usize| stack.nodes.get(number).copied().context("two nodes are needed");
    let mut speaker = Client::join(node(0)?, stack.app)
        .await
        .context("the speaker does not join")?;
    let mut listener = Client::join(node(1)?, stack.app)
        .await
        .context("the listener does not join")?;
    listener.call(&format!(r#"["join","{ROOM}"]"#)).await?;
    let servers = &stack.nats.as_ref().context("a stack on NATS is needed")?.servers;
    let server = |number: usize| {
        servers
            .get(number % servers.len().max(1))
            .context("no NATS server")
    };
    let mut publisher = Core::connect(&server(0)?.address).await?;
    let mut subscriber = Core::connect(&server(1)?.address).await?;
    subscriber.subscribe(SUBJECT).await?;
    if servers.len() > 1 {
        // A server hears of another's subscribers a moment later.
        heard(&mut publisher, &mut subscriber).await?;
    }
    let event = format!(r#"["say","{ROOM}","{PAYLOAD}"]"#);
    let (mut ours, mut core) = (Vec::new(), Vec::new());
    for _ in 0..WARM_UP + emits {
        let begun = Instant::now();
        speaker.emit(&event).await?;
        while listener.events().await.context("the listener")? == 0 {}
        ours.push(begun.elapsed());
        let begun = Instant::now();
        publisher.publish(SUBJECT, PAYLOAD).await?;
        subscriber.message().await?;
        core.push(begun.elapsed());
    }
    let (ours, core) = (quantiles(&mut ours), quantiles(&mut core));
    let apart = ours.0 - core.0;
    println!(
        "\nemit to delivery through another node, {} NATS server(s), {emits} emits; ms  p50    p99\n  wakeline \
         {:56.3} {:6.3}\n  core NATS, publish to subscriber {:33.3} {:6.3}",
        servers.len(),
        ours.0,
        ours.1,
        core.0,
        core.1
    );
    if let Some((_, goal)) = GOALS_MS.iter().find(|(count, _)| *count == servers.len()) {
        println!("  between the medians: {apart:.3} ms; at most {goal} is the goal");
    }
    Ok(())
}

async fn heard(publisher: &mut Core, subscriber: &mut Core) -> anyhow::Result<()> {
    loop {
        publisher.publish(SUBJECT, PAYLOAD).await?;
        let heard = tokio::time::timeout(Duration::from_millis(100), subscriber.message());
        if let Ok(heard) = heard.await {
            return heard;
        }
    }
}

/// Median and 99th percentile in milliseconds, the warm-up left out.
fn quantiles(times: &mut Vec<Duration>) -> (f64, f64) {
    let mut times: Vec<_> = times.drain(..).skip(WARM_UP).collect();
    times.sort_unstable();
    let at = |share: f64| {
        let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    (at(0.5), at(0.99))
}
