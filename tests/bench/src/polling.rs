//! Long polling: echoes over kept connections, and memory of sessions between two polls.
use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures_util::{StreamExt, stream};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    client::Target,
    figures::Figures,
    http::Http,
    load::{Load, PAYLOAD},
    peers::Running,
    run::{Part, Size},
};

pub(crate) const POLLING: &str = "polling, echo";
pub(crate) const POLLING_IDLE: &str = "polling, idle between polls";

/// Of those who speak, each with two connections: the poll, and the posts.
const SPEAKERS: usize = 200;
/// An answer that has not come by then is lost, and its session is given up: some server loses one in hundreds, and says so
/// when its next ping is due, if at all.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// Opened first and not counted, as those of WebSockets. More would be gone, 45 seconds later, before the slowest server has
/// opened the others.
const WARM_UP: usize = 4000;
/// Connections over which sessions are opened.
const OPENING: usize = 32;

/// A session, and the connections that it uses if it has any.
pub(crate) struct Session {
    pub(crate) sid: String,
    /// Which of this machine's addresses it comes from: a proxy that tells clients apart by that has it on one server.
    number: usize,
    polls: Http,
    posts: Http,
}

pub(crate) async fn visit(server: &Running, size: &Size) -> anyhow::Result<Vec<Part>> {
    let idle = idle(server, size).await?;
    Ok(vec![(POLLING, echo(server, size).await?), (POLLING_IDLE, idle)])
}

async fn echo(server: &Running, size: &Size) -> anyhow::Result<Figures> {
    let opening = (0..SPEAKERS).map(|number| open(server, number, 1));
    let opened: Vec<_> = stream::iter(opening).buffer_unordered(OPENING).collect().await;
    let load = Load::new();
    let mut tasks = JoinSet::new();
    for opened in opened {
        let opened = opened?;
        if opened.lost > 0 {
            load.failed(opened.lost, lost());
        }
        for session in opened.sessions {
            tasks.spawn_local(speak(Rc::clone(&load), session));
        }
    }
    let figures = load.measure(server, size.warm_up, size.time).await;
    load.end();
    tasks.join_all().await;
    Ok(figures)
}

async fn speak(load: Rc<Load>, mut session: Session) {
    while !load.has_ended() {
        let asked = Instant::now();
        match session.answered(&format!(r#"["echo","{PAYLOAD}"]"#)).await {
            Ok(()) => {
                load.took(asked.elapsed());
                load.done(1);
            }
            Err(error) => return load.failed(1, error),
        }
    }
}

/// Everybody has polled, joined a room, and is between two polls: no connection is open.
pub(crate) async fn idle(server: &Running, size: &Size) -> anyhow::Result<Figures> {
    let mut before = 0;
    let mut lost = 0;
    let mut held = Vec::new();
    for (count, is_warm_up) in [(WARM_UP, true), (size.sessions, false)] {
        let each = count.div_ceil(OPENING);
        let opening = (0..OPENING).map(|number| open(server, number, each));
        let opened: Vec<_> = stream::iter(opening).buffer_unordered(OPENING).collect().await;
        for opened in opened {
            let opened = opened?;
            lost += opened.lost;
            // Their connections end here.
            held.extend(
                opened
                    .sessions
                    .into_iter()
                    .map(|session| (session.sid, session.number)),
            );
        }
        let bytes = server.settled_bytes().await?;
        if is_warm_up {
            before = bytes;
            held.clear();
        } else {
            let mut figures = Figures::default();
            figures.set(
                "session_bytes",
                bytes.saturating_sub(before) as f64 / held.len() as f64,
            );
            // One of them goes on, to show that they are there.
            let (sid, number) = held.first().context("no session")?;
            let mut one = Session::of(server.target(*number)?, sid, *number);
            lost += u64::from(one.answered(r#"["echo","awake"]"#).await.is_err());
            figures.set("errors", lost as f64);
            return Ok(figures);
        }
    }
    Ok(Figures::default())
}

/// Sessions, and how many were given up.
struct Opened {
    sessions: Vec<Session>,
    lost: u64,
}

/// Opens so many sessions one after the other, over the same two connections.
async fn open(server: &Running, number: usize, count: usize) -> anyhow::Result<Opened> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut lost = 0;
    for place in 0..count {
        let mut session = Session::of(server.target(number)?, "", number);
        if let Some(last) = sessions.last_mut() {
            std::mem::swap(&mut session.polls, &mut last.polls);
            std::mem::swap(&mut session.posts, &mut last.posts);
        }
        let event = format!(r#"["join","room-{}"]"#, (number + place * OPENING) / 10);
        let opening = async {
            session.connect().await?;
            session.call(&event).await
        };
        match timeout(ANSWER_PATIENCE, opening).await {
            Ok(answered) => {
                answered?;
                sessions.push(session);
            }
            Err(_elapsed) => lost += 1,
        }
    }
    Ok(Opened { sessions, lost })
}

impl Session {
    /// Nothing is opened yet.
    pub(crate) fn of(target: &Target, sid: &str, number: usize) -> Self {
        Self {
            sid: sid.to_owned(),
            number,
            polls: Http::new(target, number),
            posts: Http::new(target, number),
        }
    }

    /// Handshake and CONNECT.
    pub(crate) async fn connect(&mut self) -> anyhow::Result<()> {
        let opened = self.polls.poll("", None).await?;
        let opened: serde_json::Value =
            serde_json::from_str(opened.strip_prefix('0').context("no handshake")?)?;
        let sid = opened.get("sid").and_then(|sid| sid.as_str()).context("no sid")?;
        sid.clone_into(&mut self.sid);
        self.posts.poll(&self.sid, Some("40")).await?;
        self.until("40").await
    }

    /// Emits while a poll waits, and polls until the ack has come.
    pub(crate) async fn call(&mut self, event: &str) -> anyhow::Result<()> {
        self.polls.ask(&self.sid, None).await?;
        self.posts.poll(&self.sid, Some(&format!("420{event}"))).await?;
        let first = self.polls.answer().await?;
        self.goes_on(first, "430").await
    }

    /// The same, but an error if the ack is lost.
    async fn answered(&mut self, event: &str) -> anyhow::Result<()> {
        timeout(ANSWER_PATIENCE, self.call(event))
            .await
            .unwrap_or_else(|_elapsed| Err(lost()))
    }

    async fn until(&mut self, prefix: &str) -> anyhow::Result<()> {
        let first = self.polls.poll(&self.sid, None).await?;
        self.goes_on(first, prefix).await
    }

    async fn goes_on(&mut self, mut payload: String, prefix: &str) -> anyhow::Result<()> {
        loop {
            if payload.split('\u{1e}').any(|packet| packet == "2") {
                self.posts.poll(&self.sid, Some("3")).await?;
            }
            if payload.split('\u{1e}').any(|packet| packet.starts_with(prefix)) {
                return Ok(());
            }
            payload = self.polls.poll(&self.sid, None).await?;
        }
    }
}

fn lost() -> anyhow::Error {
    anyhow::anyhow!("no answer within {} s", ANSWER_PATIENCE.as_secs())
}
