//! What must not become dearer unnoticed: instructions and allocations of what happens most, bytes of a session that says
//! nothing. No clock is read, so a slow machine and a busy one find the same.
mod count;
mod ratchet;

pub(crate) use self::count::valgrind;

use std::{fs::OpenOptions, io::Write as _};

use anyhow::Context as _;

use self::{
    count::{Counter, Counts},
    ratchet::{Cost, Measured},
};
use crate::{
    client::Client,
    idle,
    load::{self, PAYLOAD},
    peers::{ONE_CORE, Peer, Running, Setting},
    polling,
    run::Size,
};

/// Under callgrind; one thread that serves, so that nobody waits for another.
const COUNTED: Setting = Setting {
    cores: None,
    threads: 1,
    counted: true,
};
/// Of each figure so many spans are counted, and the cheapest is it: what the host does by the clock, and what a crowded
/// machine makes it do, only adds. In the first, it allocates what it keeps.
const SPANS: usize = 7;
/// The same for bytes: the allocator has more left over in one run than in another.
const SERVERS: usize = 2;
const ECHOES: usize = 600;
/// Events of one client that a server finds waiting together.
const AT_ONCE: usize = 8;
const ECHOES_POLLED: usize = 200;
const JOINS: usize = 40;
const MESSAGES: usize = 40;
/// What a delivery costs is told by the difference of two rooms.
const FEW: usize = 10;
const MANY: usize = 60;
/// Sessions whose memory is told, as `bench idle` does it. So many that a buffer of the store which is full or empty by chance,
/// about a megabyte, is little of each.
const SESSIONS: usize = 6000;
/// A line `figure<TAB>text` for each, if `cargo xtask test` asks.
const REPORT: &str = "WAKELINE_TEST_REPORT";

/// An error if anything costs more than its ratchet.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut measured = bytes().await?;
    match count::missing() {
        None => measured.extend(counted().await?),
        Some(why) => tell(&[format!("SKIPPED counts of instructions: {why}")])?,
    }
    let told: Vec<_> = measured.iter().map(ToString::to_string).collect();
    tell(&told)?;
    let dear = measured.iter().filter(|cost| cost.is_dear()).count();
    anyhow::ensure!(
        dear == 0,
        "{dear} figures above their ratchet: make it cheaper, or raise it in tests/bench/src/guard/ratchet.rs and say why"
    );
    Ok(())
}

async fn bytes() -> anyhow::Result<Vec<Measured>> {
    let size = Size {
        sessions: SESSIONS,
        ..Size::quick()
    };
    let mut measured = Vec::new();
    for cost in [Cost::IdleWebSocket, Cost::IdlePolling] {
        let mut value = f64::INFINITY;
        for _ in 0..SERVERS {
            let server = Peer::Wakeline.start(&ONE_CORE).await?;
            let figures = if cost == Cost::IdleWebSocket {
                idle::idle(&server, &size).await?
            } else {
                polling::idle(&server, &size).await?
            };
            anyhow::ensure!(figures.get("errors") == Some(0.0), "sessions were lost: {cost:?}");
            value = value.min(figures.get("session_bytes").context("no figure")?);
        }
        measured.push(Measured { cost, value });
    }
    Ok(measured)
}

async fn counted() -> anyhow::Result<Vec<Measured>> {
    let server = Peer::Wakeline.start(&COUNTED).await?;
    let counter = Counter::start(&server)?;
    let done = visit(&server, counter).await;
    done.with_context(|| format!("under valgrind:\n{}", server.last_words()))
}

async fn visit(server: &Running, mut counter: Counter) -> anyhow::Result<Vec<Measured>> {
    let echo = echo_at_once(server, &mut counter, 1).await?;
    let batched = echo_at_once(server, &mut counter, AT_ONCE).await?;
    let polled = polled(server, &mut counter).await?;
    let join = join(server, &mut counter).await?;
    let few = say(server, &mut counter, FEW).await?;
    let many = say(server, &mut counter, MANY).await?;
    let delivery = many.less(few).by(MANY - FEW);
    Ok([
        echo.of(Cost::EchoInstructions, Cost::EchoAllocations),
        batched.of(Cost::BatchedInstructions, Cost::BatchedAllocations),
        polled.of(Cost::PolledInstructions, Cost::PolledAllocations),
        join.of(Cost::JoinInstructions, Cost::JoinAllocations),
        delivery.of(Cost::DeliveryInstructions, Cost::DeliveryAllocations),
        few.of(Cost::MessageInstructions, Cost::MessageAllocations),
    ]
    .concat())
}

/// One client, which asks so many again when it is answered. One: each echo is read, called, recorded and written by itself.
async fn echo_at_once(server: &Running, counter: &mut Counter, count: usize) -> anyhow::Result<Counts> {
    let mut client = server.join(0).await?;
    let event = format!(r#"["echo","{PAYLOAD}"]"#);
    let mut spans = Vec::new();
    for _ in 0..SPANS {
        counter.forget()?;
        for _ in 0..ECHOES / count {
            client.call_at_once(&event, count).await?;
        }
        spans.push(counter.read()?.by(ECHOES));
    }
    Ok(cheapest(&spans))
}

/// The same over polling, two connections: a poll that waits, and a POST.
async fn polled(server: &Running, counter: &mut Counter) -> anyhow::Result<Counts> {
    let mut session = polling::Session::of(server.target(0)?, "", 0);
    session.connect().await?;
    let event = format!(r#"["echo","{PAYLOAD}"]"#);
    let mut spans = Vec::new();
    for _ in 0..SPANS {
        counter.forget()?;
        for _ in 0..ECHOES_POLLED {
            session.call(&event).await?;
        }
        spans.push(counter.read()?.by(ECHOES_POLLED));
    }
    Ok(cheapest(&spans))
}

/// Handshake and CONNECT over a WebSocket. Nobody leaves meanwhile.
async fn join(server: &Running, counter: &mut Counter) -> anyhow::Result<Counts> {
    let mut held: Vec<Client> = Vec::new();
    let mut spans = Vec::new();
    for _ in 0..SPANS {
        counter.forget()?;
        for _ in 0..JOINS {
            held.push(server.join(0).await?);
        }
        spans.push(counter.read()?.by(JOINS));
    }
    Ok(cheapest(&spans))
}

/// A message to a room of so many, the speaker outside, one at a time: what it costs altogether.
async fn say(server: &Running, counter: &mut Counter, members: usize) -> anyhow::Result<Counts> {
    let room = format!("room-of-{members}");
    let mut listeners = load::gather(server, 0, members, |_| Some(room.clone())).await?;
    let mut speaker = server.join(0).await?;
    let event = format!(r#"["say","{room}","{PAYLOAD}"]"#);
    let mut spans = Vec::new();
    for _ in 0..SPANS {
        counter.forget()?;
        for _ in 0..MESSAGES {
            speaker.emit(&event).await?;
            for listener in &mut listeners {
                listener.until("42").await?;
            }
        }
        spans.push(counter.read()?.by(MESSAGES));
    }
    Ok(cheapest(&spans))
}

/// Of each count the least.
fn cheapest(spans: &[Counts]) -> Counts {
    let least = |value: fn(&Counts) -> f64| spans.iter().map(value).fold(f64::INFINITY, f64::min);
    Counts {
        instructions: least(|counts| counts.instructions),
        allocations: least(|counts| counts.allocations),
    }
}

/// On the terminal, and to whoever sums up.
fn tell(lines: &[String]) -> anyhow::Result<()> {
    for line in lines {
        println!("    {line}");
    }
    if let Some(path) = std::env::var_os(REPORT) {
        let mut report = OpenOptions::new().append(true).create(true).open(path)?;
        for line in lines {
            writeln!(report, "figure\t{line}")?;
        }
    }
    Ok(())
}
