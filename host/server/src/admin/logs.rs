//! `GET /v1/apps/{app}/logs`: an app's log, from all nodes, as server-sent events.
use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::StatusCode;
use serde_json::json;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::{
    Asked,
    access::Pass,
    reply::{self, Outcome, error},
    running::running,
};
use crate::{
    Handle,
    logs::{
        LogLine, Origin,
        follow::{Filter, Heard},
        level,
        spread::{self, Following, Neighbours, Tail},
    },
};

/// What the query asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) follow: bool,
    /// Lines of before, at most.
    pub(crate) tail: usize,
    pub(crate) filter: Filter,
}

const TAIL_DEFAULT: usize = 100;
const TAIL_MAX: usize = 1_000;
/// A comment goes out after this long without a line, so that proxies and clients know that the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is looked whether whoever reads still may. With what the platform remembers of a token (3 s), one that was
/// revoked on another node ends its streams here within the 5 s that operators are promised.
const LOOK: Duration = Duration::from_secs(2);

/// Of each: `data:` a line; `event: missed` with how many lines are not here, since whoever reads was too slow; `event: partial`
/// with the nodes whose earlier lines are not here, since they did not answer; `event: end` with why nothing more comes,
/// where more was asked for.
pub(super) async fn logs(handle: &Handle, asked: &Asked<'_>) -> Outcome {
    let tenant = running(handle, asked.app).await?;
    let wanted = Wanted::parse(asked.query).map_err(|message| reply::invalid(&message))?;
    let pass = Pass::of(handle, asked);
    let asked = (&tenant.name, wanted.filter, wanted.tail);
    let neighbours = Neighbours::of(handle.nodes());
    let followed = spread::follow(handle.logs(), &handle.shared_backplane(), neighbours, asked).await;
    match followed {
        Ok((tail, following)) => {
            let before = stream::iter(before(&tail));
            if wanted.follow {
                Ok(reply::events(before.chain(after(following, pass))))
            } else {
                Ok(reply::events(before))
            }
        }
        Err(refused) => Err(error(
            StatusCode::TOO_MANY_REQUESTS,
            "limit",
            &refused.to_string(),
        )),
    }
}

impl Wanted {
    pub(crate) fn parse(query: &str) -> Result<Self, String> {
        let mut wanted = Self {
            follow: false,
            tail: TAIL_DEFAULT,
            filter: Filter::ALL,
        };
        for (name, value) in query.split('&').filter(|part| !part.is_empty()).map(halves) {
            match name {
                "follow" => wanted.follow = matches!(value, "1" | "true" | ""),
                "socket" => wanted.filter.socket = Some(value.to_owned()),
                "tail" => {
                    let tail = value.parse().ok().filter(|tail| *tail <= TAIL_MAX);
                    wanted.tail =
                        tail.ok_or_else(|| format!("tail is a number up to {TAIL_MAX}, not {value:?}"))?;
                }
                "level" => {
                    let level = level::parse(value);
                    wanted.filter.level = level.ok_or_else(|| {
                        format!("level is trace, debug, info, warn, error or critical, not {value:?}")
                    })?;
                }
                "origin" => {
                    wanted.filter.origin = Some(match value {
                        "guest" => Origin::Guest,
                        "host" => Origin::Host,
                        _ => return Err(format!("origin is guest or host, not {value:?}")),
                    });
                }
                _ => {
                    return Err(format!(
                        "{name:?} means nothing here; follow, socket, level, origin and tail do"
                    ));
                }
            }
        }
        Ok(wanted)
    }
}

/// Nothing that may be asked for needs percent-encoding: ids of sockets have none of it.
fn halves(part: &str) -> (&str, &str) {
    part.split_once('=').unwrap_or((part, ""))
}

fn before(tail: &Tail) -> Vec<Bytes> {
    let mut events: Vec<Bytes> = tail.lines.iter().map(data).collect();
    if !tail.partial.is_empty() {
        let text = format!("event: partial\ndata: {}\n\n", json!({ "nodes": tail.partial }));
        events.insert(0, text.into());
    }
    // Tells whoever waits that it is heard, even if there is nothing to tell.
    events.push(Bytes::from_static(b":\n\n"));
    events
}

/// Ends with an event that says why: the app is gone, or whoever reads may not any more.
pub(crate) fn after(following: Following, reader: impl Reader) -> impl Stream<Item = Bytes> + Send {
    let mut looks = interval_at(Instant::now() + LOOK, LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let told = Told {
        following,
        reader,
        looks,
        last: Instant::now(),
    };
    stream::unfold(Some(told), |told| async move { Some(told?.next().await) })
}

/// Who reads a stream that may last for weeks.
pub(crate) trait Reader: Send + Sync {
    /// Whether they still may.
    fn may_go_on(&self) -> impl Future<Output = bool> + Send;
}

/// What somebody is told, line by line.
struct Told<R> {
    following: Following,
    reader: R,
    looks: Interval,
    /// When something went out.
    last: Instant,
}

impl<R: Reader> Told<R> {
    /// The next event, and what comes after it; `None`: it was the last.
    async fn next(mut self) -> (Bytes, Option<Self>) {
        loop {
            let event = tokio::select! {
                // First: lines that never cease must not keep out who asks whether they may be read.
                biased;
                now = self.looks.tick() => {
                    if !self.reader.may_go_on().await {
                        return (end("unauthorised", "the token was revoked or has expired"), None);
                    }
                    if now - self.last < HEARTBEAT {
                        continue;
                    }
                    Bytes::from_static(b":\n\n")
                }
                heard = self.following.next() => match heard {
                    None => return (end("no_app", "the app was deleted"), None),
                    Some(Heard::Line(line)) => data(&line),
                    Some(Heard::Missed(lines)) => {
                        format!("event: missed\ndata: {}\n\n", json!({ "lines": lines })).into()
                    }
                }
            };
            self.last = Instant::now();
            return (event, Some(self));
        }
    }
}

fn end(code: &str, message: &str) -> Bytes {
    let why = json!({ "code": code, "message": message });
    format!("event: end\ndata: {why}\n\n").into()
}

/// JSON has no line breaks of its own: one `data:` is enough.
fn data(line: &Arc<LogLine>) -> Bytes {
    let line = serde_json::to_string(&**line).unwrap_or_default();
    format!("data: {line}\n\n").into()
}
