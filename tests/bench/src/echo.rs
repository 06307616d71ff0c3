//! `echo` with an ack: saturated, one under way on each connection; and at an even pace, from when each was due.
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{
    client::{Client, Writer},
    figures::Figures,
    frame,
    load::{self, Load, PAYLOAD},
    peers::Running,
    run::{Part, Size},
};

pub(crate) const SATURATED: &str = "echo";
pub(crate) const CALM: &str = "echo, 1,000 a second";
pub(crate) const BRISK: &str = "echo, 10,000 a second";

/// A server that is asked for more than this of what it can do tells of its queue, not of itself.
const HEADROOM: f64 = 1.3;
/// Until the last answers have come.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn visit(server: &Running, size: &Size) -> anyhow::Result<Vec<Part>> {
    let clients = load::gather(server, 0, size.clients, |_| None).await?;
    let (figures, clients) = saturate(server, size, clients).await?;
    let most = figures.get("rate").unwrap_or(0.0);
    let mut parts = vec![(SATURATED, figures)];
    let mut clients = Some(clients);
    for (part, rate) in [(CALM, 1_000.0), (BRISK, 10_000.0)] {
        if most > rate * HEADROOM
            && let Some(ready) = clients.take()
        {
            let (figures, done) = pace(server, size, ready, rate).await?;
            parts.push((part, figures));
            clients = Some(done);
        }
    }
    Ok(parts)
}

/// Everybody asks as soon as the last answer is there.
pub(crate) async fn saturate(
    server: &Running,
    size: &Size,
    clients: Vec<Client>,
) -> anyhow::Result<(Figures, Vec<Client>)> {
    let load = Load::new();
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn_local(ask_on(Rc::clone(&load), client));
    }
    let figures = load.measure(server, size.warm_up, size.time).await;
    load.end();
    let clients = tasks.join_all().await.into_iter().flatten().collect();
    Ok((figures, clients))
}

async fn ask_on(load: Rc<Load>, mut client: Client) -> Option<Client> {
    let (writer, frame) = (client.writer(), ask());
    while !load.has_ended() {
        let asked = Instant::now();
        match once(&mut client, &writer, &frame).await {
            Ok(()) => {
                load.took(asked.elapsed());
                load.done(1);
            }
            Err(error) => {
                load.failed(1, error);
                return None;
            }
        }
    }
    Some(client)
}

async fn once(client: &mut Client, writer: &Writer, frame: &[u8]) -> anyhow::Result<()> {
    writer.send(frame).await?;
    while client.heard().await?.acks == 0 {}
    Ok(())
}

fn ask() -> Vec<u8> {
    frame::text(&format!(r#"420["echo","{PAYLOAD}"]"#))
}

/// When the questions of one client were due that are not answered yet; they are answered in order.
type Due = Rc<RefCell<VecDeque<Instant>>>;

/// So many questions a second, whatever the answers do: a time is counted from when its question was due, not from when it
/// could be sent, so that a server that stalls is not spared the questions of meanwhile.
async fn pace(
    server: &Running,
    size: &Size,
    clients: Vec<Client>,
    rate: f64,
) -> anyhow::Result<(Figures, Vec<Client>)> {
    let load = Load::new();
    let unanswered = Rc::new(Cell::new(0_u64));
    let mut voices = Vec::new();
    let mut tasks = JoinSet::new();
    for client in clients {
        let due = Due::default();
        voices.push((client.writer(), Rc::clone(&due)));
        tasks.spawn_local(listen_on(Rc::clone(&load), client, due, Rc::clone(&unanswered)));
    }
    let frame = ask();
    let begun = Instant::now();
    let mut span = None;
    for number in 0_u32.. {
        let due = begun + Duration::from_secs_f64(f64::from(number) / rate);
        // The generator has a core of its own, and a timer would be a millisecond late.
        while Instant::now() < due {
            tokio::task::yield_now().await;
        }
        if span.is_none() && due > begun + size.warm_up {
            span = Some(load.begin(server));
        }
        if due > begun + size.warm_up + size.time {
            break;
        }
        let Some((writer, waiting)) = voices.get(number as usize % voices.len().max(1)) else {
            break;
        };
        waiting.borrow_mut().push_back(due);
        unanswered.set(unanswered.get() + 1);
        writer.send(&frame).await?;
    }
    let deadline = Instant::now() + PATIENCE;
    while unanswered.get() > 0 && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    if unanswered.get() > 0 {
        load.failed(
            unanswered.get(),
            anyhow::anyhow!("questions that were not answered"),
        );
    }
    let figures = span.map(|span| load.finish(server, &span)).unwrap_or_default();
    load.end();
    for (writer, _) in &voices {
        // One more answer, so that everybody who listens sees that it is over.
        writer.send(&frame).await?;
    }
    let clients = tasks.join_all().await.into_iter().flatten().collect();
    Ok((figures, clients))
}

async fn listen_on(
    load: Rc<Load>,
    mut client: Client,
    due: Due,
    unanswered: Rc<Cell<u64>>,
) -> Option<Client> {
    loop {
        let acks = match client.heard().await {
            Ok(heard) => heard.acks,
            Err(error) => {
                load.failed(1, error);
                return None;
            }
        };
        let now = Instant::now();
        for _ in 0..acks {
            match due.borrow_mut().pop_front() {
                Some(due) => {
                    load.took(now.saturating_duration_since(due));
                    load.done(1);
                    unanswered.set(unanswered.get() - 1);
                }
                None if load.has_ended() => return Some(client),
                None => {}
            }
        }
    }
}
