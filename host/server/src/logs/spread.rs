//! An app's log on all nodes. Who follows asks on one topic that all nodes hear, again and again; each node then publishes
//! what passes the filter on a topic of that follower's own. While nobody follows nothing is published.
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use backplane::Backplane;
use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use serde::{Deserialize, Serialize};
use session::Nodes;
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until, timeout_at},
};

use super::{
    LogBook, LogLine,
    follow::{Filter, Follow, Heard, TooMany},
};

/// Where all nodes hear of who follows.
const ASKED: &str = "logs";
/// How often who follows says so, and how long a node believes it.
const ASK_EVERY: Duration = Duration::from_secs(5);
const ASK_LASTS: Duration = Duration::from_secs(15);
/// How long the other nodes may take to say what they have.
const TAIL_WAIT: Duration = Duration::from_secs(1);
/// What one publication carries at most, as far as there is more.
const BATCH_LINES_MAX: usize = 64;
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Followers that a node serves on others' behalf.
const ASKS_MAX: usize = 256;
const RETRY: Duration = Duration::from_secs(5);

/// "I follow", or with `over` "I do not any more".
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ask {
    /// Of the follower; unguessable, since whoever knows it could listen.
    id: String,
    /// Incarnation of the node where it is.
    from: u64,
    app: Arc<str>,
    filter: Filter,
    tail: usize,
    over: bool,
}

/// Lines of one node.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    from: u64,
    lines: Vec<Arc<LogLine>>,
    /// How many are missing before these.
    missed: u64,
    /// Those of before the ask: the first publication of each node.
    tail: bool,
}

/// An app's lines on all nodes. Dropping it ends that, on the others within moments.
pub(crate) struct Following {
    local: Follow,
    others: Option<Others>,
}

struct Others {
    backplane: Arc<dyn Backplane>,
    ask: Ask,
    told: BoxStream<'static, Bytes>,
    again: Interval,
    /// Heard, and not given out yet.
    waiting: VecDeque<Heard>,
}

/// What was said before.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// In order of their time.
    pub(crate) lines: Vec<Arc<LogLine>>,
    /// Nodes whose lines are missing: they did not answer in time.
    pub(crate) partial: Vec<String>,
}

/// The nodes that a follower asks.
pub(crate) struct Neighbours {
    /// This node's incarnation.
    own: u64,
    /// Incarnation and name of the others that live.
    others: Vec<(u64, String)>,
}

impl Neighbours {
    #[cfg(test)]
    pub(crate) fn new(own: u64, others: Vec<(u64, String)>) -> Self {
        Self { own, others }
    }

    /// `None`: this node is alone.
    pub(crate) fn of(nodes: &Nodes) -> Option<Self> {
        let others = nodes.others();
        let others = others.iter().map(|node| (node.incarnation, node.name.clone()));
        nodes.is_cluster().then(|| Self {
            own: nodes.own().incarnation,
            others: others.collect(),
        })
    }
}

/// Follows an app: its last lines, at most `tail`, and all that come after them.
pub(crate) async fn follow(
    book: &Arc<LogBook>,
    backplane: &Arc<dyn Backplane>,
    neighbours: Option<Neighbours>,
    (app, filter, tail): (&Arc<str>, Filter, usize),
) -> Result<(Tail, Following), TooMany> {
    let (lines, local) = book.follow(app, filter.clone(), tail)?;
    let mut all = Tail {
        lines,
        partial: Vec::new(),
    };
    let Some(neighbours) = neighbours else {
        let others = None;
        return Ok((all, Following { local, others }));
    };
    let ask = Ask {
        id: new_id(),
        from: neighbours.own,
        app: Arc::clone(app),
        filter,
        tail,
        over: false,
    };
    let mut missing: BTreeSet<u64> = neighbours.others.iter().map(|(node, _)| *node).collect();
    let others = match Others::begin(Arc::clone(backplane), ask).await {
        Ok(mut others) => {
            others.gather(&mut all.lines, &mut missing).await;
            Some(others)
        }
        Err(error) => {
            tracing::debug!(%error, "other nodes' logs cannot be followed now");
            None
        }
    };
    let absent = neighbours
        .others
        .into_iter()
        .filter(|(node, _)| missing.contains(node));
    all.partial = absent.map(|(_, name)| name).collect();
    all.lines.sort_by_key(|line| line.at_ms);
    let excess = all.lines.len().saturating_sub(tail);
    all.lines.drain(..excess);
    Ok((all, Following { local, others }))
}

impl Following {
    /// What is said next, anywhere. `None`: the app is gone. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        let Some(others) = &mut self.others else {
            return self.local.next().await;
        };
        tokio::select! {
            heard = self.local.next() => heard,
            heard = others.next() => Some(heard),
        }
    }
}

impl Others {
    async fn begin(backplane: Arc<dyn Backplane>, ask: Ask) -> Result<Self, backplane::Error> {
        // In force before anybody is asked.
        let told = backplane.subscribe(&topic(&ask.id)).await?;
        publish(&*backplane, ASKED, &ask).await?;
        let mut again = interval_at(Instant::now() + ASK_EVERY, ASK_EVERY);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            backplane,
            ask,
            told,
            again,
            waiting: VecDeque::new(),
        })
    }

    /// Waits for the lines of before, of all nodes that are `missing`.
    async fn gather(&mut self, lines: &mut Vec<Arc<LogLine>>, missing: &mut BTreeSet<u64>) {
        let deadline = Instant::now() + TAIL_WAIT;
        while !missing.is_empty() {
            let Ok(Some(payload)) = timeout_at(deadline, self.told.next()).await else {
                return;
            };
            let Some(told) = self.read(&payload) else { continue };
            if told.tail {
                missing.remove(&told.from);
                lines.extend(told.lines);
            } else {
                self.take_in(told);
            }
        }
    }

    async fn next(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.waiting.pop_front() {
                return heard;
            }
            tokio::select! {
                told = self.told.next() => match told {
                    Some(payload) => {
                        if let Some(told) = self.read(&payload) {
                            self.take_in(told);
                        }
                    }
                    // The node is ending: what is local goes on as long as it does.
                    None => std::future::pending().await,
                },
                _ = self.again.tick() => {
                    // Those that have not answered yet would tell lines of before as if they were new.
                    let ask = Ask { tail: 0, ..self.ask.clone() };
                    if let Err(error) = publish(&*self.backplane, ASKED, &ask).await {
                        tracing::debug!(%error, "other nodes' logs cannot be followed now");
                    }
                }
            }
        }
    }

    fn take_in(&mut self, told: Told) {
        if told.missed > 0 {
            self.waiting.push_back(Heard::Missed(told.missed));
        }
        self.waiting.extend(told.lines.into_iter().map(Heard::Line));
    }

    fn read(&self, payload: &Bytes) -> Option<Told> {
        let told: Told = serde_json::from_slice(payload).ok()?;
        // Another app's lines have no business here, whatever was published.
        told.lines
            .iter()
            .all(|line| line.app == self.ask.app)
            .then_some(told)
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        let ask = Ask {
            over: true,
            ..self.ask.clone()
        };
        let backplane = Arc::clone(&self.backplane);
        // Lost, it costs the other nodes a few seconds of publishing.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { publish(&*backplane, ASKED, &ask).await });
        }
    }
}

/// Serves followers on other nodes, for as long as this one runs.
pub(crate) async fn serve(book: Arc<LogBook>, backplane: Arc<dyn Backplane>, own: u64) {
    let mut asked = loop {
        match backplane.subscribe(ASKED).await {
            Ok(asked) => break asked,
            Err(error) => tracing::debug!(%error, "followers of logs on other nodes are not heard yet"),
        }
        sleep(RETRY).await;
    };
    let mut served: HashMap<String, watch::Sender<Instant>> = HashMap::new();
    while let Some(payload) = asked.next().await {
        let Ok(ask) = serde_json::from_slice::<Ask>(&payload) else {
            continue;
        };
        if ask.from == own {
            continue;
        }
        let until = Instant::now() + ASK_LASTS;
        if ask.over {
            served.remove(&ask.id);
        } else if served.get(&ask.id).is_none_or(|known| known.send(until).is_err()) {
            served.retain(|_, known| !known.is_closed());
            if served.len() < ASKS_MAX {
                let (known, until) = watch::channel(until);
                served.insert(ask.id.clone(), known);
                tokio::spawn(relay(Arc::clone(&book), Arc::clone(&backplane), own, ask, until));
            }
        }
    }
}

/// Publishes for one follower, until it is over or nothing was heard of it for long.
async fn relay(
    book: Arc<LogBook>,
    backplane: Arc<dyn Backplane>,
    from: u64,
    ask: Ask,
    mut until: watch::Receiver<Instant>,
) {
    let Ok((lines, mut follow)) = book.follow(&ask.app, ask.filter, ask.tail) else {
        return;
    };
    let topic = topic(&ask.id);
    let mut told = Told {
        from,
        lines,
        missed: 0,
        tail: true,
    };
    loop {
        if let Err(error) = publish(&*backplane, &topic, &told).await {
            tracing::debug!(%error, "lines of a log did not reach who follows it");
        }
        let heard = loop {
            let deadline = *until.borrow_and_update();
            tokio::select! {
                heard = follow.next() => match heard {
                    Some(heard) => break heard,
                    // The app is gone.
                    None => return,
                },
                renewed = until.changed() => if renewed.is_err() { return },
                () = sleep_until(deadline) => return,
            }
        };
        told = Told {
            from,
            lines: Vec::new(),
            missed: 0,
            tail: false,
        };
        fill(&mut told, heard, &mut follow);
    }
}

/// What was heard, and what waits already.
fn fill(told: &mut Told, first: Heard, follow: &mut Follow) {
    let (mut bytes, mut heard) = (0, Some(first));
    while let Some(next) = heard {
        match next {
            Heard::Missed(missed) => told.missed += missed,
            Heard::Line(line) => {
                bytes += line.message.len();
                told.lines.push(line);
            }
        }
        let full = told.lines.len() >= BATCH_LINES_MAX || bytes >= BATCH_BYTES_MAX;
        heard = if full { None } else { follow.waiting() };
    }
}

async fn publish(
    backplane: &dyn Backplane,
    topic: &str,
    what: &impl Serialize,
) -> Result<(), backplane::Error> {
    let payload = serde_json::to_vec(what).unwrap_or_default();
    backplane.publish(topic, payload.into()).await
}

fn topic(id: &str) -> String {
    format!("logs:{id}")
}

/// 128 random bits.
fn new_id() -> String {
    let mut random = [0; 16];
    if getrandom::fill(&mut random).is_err() {
        unreachable!("the operating system gives no random numbers");
    }
    random
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
