//! One node: its cores, its lease, its listeners, all in a set of tasks that can be stopped and ended as a process can.
use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};

use backplane::Backplane;
use bytes::Bytes;
use router::{Handshake, Target};
use session::{AppEntry, AppSettings, AppStats, Hub, Node, Nodes, OpenRequest, Page, Protocol, Shards};
use tokio::{
    sync::{mpsc, oneshot},
    task::{LocalSet, spawn_local},
    time::{Instant, sleep, timeout},
};

use super::{
    app::Chat,
    gate::Gate,
    ledger::Book,
    link::{Far, Held},
    wire::{Road, Roads},
};
use crate::{Handle, Random};

/// The one app of the simulation.
pub(crate) const APP: &str = "chat";
/// Connections closed in a second by a drain, a core.
const DRAIN_PACE: u32 = 40;
const DRAIN_PATIENCE: Duration = Duration::from_secs(20);
/// By then a node that was out of touch has seen what became of its sockets: its calls of before have ended.
const COMING_BACK: Duration = Duration::from_secs(25);

/// What comes to a node from outside.
pub(crate) enum Ask {
    Dial(Far, oneshot::Sender<bool>),
    Wire(Bytes, oneshot::Sender<Bytes>),
    Fetch(Target, oneshot::Sender<Page>),
    Stats(oneshot::Sender<AppStats>),
    Drain(oneshot::Sender<()>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Up,
    Paused,
    Draining,
    /// Connections are refused.
    Dead,
    /// The machine is gone: nobody even refuses.
    Silent,
}

/// A node as the world outside has it in hand.
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) incarnation: u64,
    pub(crate) state: Cell<State>,
    pub(crate) handle: Handle,
    /// When it was stopped or cut off last: since when and until when.
    touch: Cell<Option<(Instant, Instant)>>,
    door: mpsc::UnboundedSender<Ask>,
    gate: Gate,
    held: Held,
    roads: Roads,
}

/// What a node is started with.
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) handle: Handle,
    pub(crate) roads: Roads,
    pub(crate) settings: Arc<AppSettings>,
    pub(crate) book: Book,
    pub(crate) seed: u64,
}

struct Inside {
    hubs: Vec<Hub>,
    nodes: Nodes,
    entry: Rc<AppEntry>,
    held: Held,
    random: Random,
    dialled: u64,
}

impl Host {
    pub(crate) fn start(plan: Plan) -> Self {
        let mut random = Random::new(plan.seed);
        let incarnation = (random.draw() >> 28).max(1);
        let (door, asked) = mpsc::unbounded_channel();
        let (gate, held) = (Gate::default(), Held::default());
        plan.roads.open(incarnation, door.clone());
        let host = Self {
            name: plan.name.clone(),
            incarnation,
            state: Cell::new(State::Up),
            handle: plan.handle.clone(),
            touch: Cell::new(None),
            door,
            gate: gate.clone(),
            held: held.clone(),
            roads: plan.roads.clone(),
        };
        let tasks = async move {
            LocalSet::new()
                .run_until(serve(plan, random, incarnation, held, asked))
                .await;
        };
        spawn_local(gate.run(tasks));
        host
    }

    /// Whether a client's SYN is answered, and with what. A stopped process's backlog takes it.
    pub(crate) async fn dial(&self, far: Far) -> bool {
        let (send, taken) = oneshot::channel();
        match self.state.get() {
            State::Dead => return false,
            State::Silent => return std::future::pending().await,
            State::Up | State::Paused | State::Draining => {}
        }
        self.door.send(Ask::Dial(far, send)).is_ok() && taken.await.unwrap_or(false)
    }

    pub(crate) async fn fetch(&self, target: Target) -> Option<Page> {
        let (send, page) = oneshot::channel();
        self.door.send(Ask::Fetch(target, send)).ok()?;
        page.await.ok()
    }

    pub(crate) async fn stats(&self) -> Option<AppStats> {
        let (send, stats) = oneshot::channel();
        self.door.send(Ask::Stats(send)).ok()?;
        stats.await.ok()
    }

    /// SIGTERM: answers when the node has drained; the process is to end then.
    pub(crate) async fn drain(&self) {
        self.state.set(State::Draining);
        let (send, drained) = oneshot::channel();
        _ = self.door.send(Ask::Drain(send));
        _ = drained.await;
    }

    pub(crate) fn pause(&self, paused: bool) {
        self.state.set(if paused { State::Paused } else { State::Up });
        self.handle.pause(paused);
        self.gate.pause(paused);
    }

    /// It is stopped or cut off from now on, for `time`: the others may take it for dead.
    pub(crate) fn loses_touch(&self, time: Duration) {
        let now = Instant::now();
        let (since, until) = match self.touch.get() {
            Some((since, until)) if now < until + COMING_BACK => (since, until),
            _ => (now, now),
        };
        self.touch.set(Some((since, until.max(now + time))));
    }

    /// When it last was in touch for certain: since then others may have taken it for dead.
    pub(crate) fn touched(&self) -> Instant {
        let now = Instant::now();
        let lost = self.touch.get().filter(|(_, until)| now < *until + COMING_BACK);
        lost.map_or(now, |(since, _)| since)
    }

    /// SIGKILL, or (`silently`) the machine goes: none of its tasks does anything any more.
    pub(crate) fn kill(&self, silently: bool) {
        self.state.set(if silently { State::Silent } else { State::Dead });
        self.roads.close(self.incarnation, silently);
        self.handle.end();
        self.gate.end();
        if !silently {
            self.held.release_all();
        }
    }
}

async fn serve(
    plan: Plan,
    mut random: Random,
    incarnation: u64,
    held: Held,
    mut asked: mpsc::UnboundedReceiver<Ask>,
) {
    let backplane: Arc<dyn Backplane> = Arc::new(plan.handle);
    let own = Node {
        incarnation,
        name: plan.name,
        address: String::new(),
        apps: std::collections::BTreeMap::new(),
        catalogue: None,
        failed: std::collections::BTreeMap::new(),
        draining: false,
        gone: false,
    };
    let nodes = loop {
        let road = Road {
            own: incarnation,
            roads: plan.roads.clone(),
        };
        match Nodes::join(backplane.clone(), Arc::new(road), own.clone()).await {
            Ok(nodes) => break nodes,
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    };
    let (shards, inboxes) = Shards::new(1 + random.below(2), nodes.clone());
    let hubs: Vec<Hub> = (0..)
        .zip(inboxes)
        .map(|(shard, inbox)| Hub::start(shard, shards.clone(), inbox, backplane.clone()))
        .collect();
    let code = Chat::new(plan.book, incarnation, Random::new(random.draw()));
    let entry = Rc::new(AppEntry {
        name: APP.into(),
        settings: plan.settings,
        code: Rc::new(code),
        quota: Arc::default(),
    });
    for hub in &hubs {
        let (hub, entry) = (hub.clone(), entry.clone());
        spawn_local(async move {
            while hub.open_line(&entry).await.is_err() {
                sleep(Duration::from_secs(1)).await;
            }
        });
    }
    let lapsing = hubs.clone();
    spawn_local(nodes.clone().keep(move || lapsing.iter().for_each(Hub::reassert)));
    let mut inside = Inside {
        hubs,
        nodes,
        entry,
        held,
        random,
        dialled: 0,
    };
    while let Some(ask) = asked.recv().await {
        inside.obey(ask);
    }
}

impl Inside {
    /// Whoever asked may have given up waiting for any of these.
    fn obey(&mut self, ask: Ask) {
        let Some(hub) = self.hubs.first().cloned() else {
            return;
        };
        match ask {
            Ask::Dial(far, taken) => self.accept(far, taken),
            Ask::Wire(question, answer) => {
                let answered = hub.shards().answer(&question);
                spawn_local(async move { _ = answer.send(answered.await) });
            }
            Ask::Fetch(target, answer) => {
                let fetching = hub.shards().clone();
                spawn_local(async move {
                    _ = answer.send(fetching.fetch_sockets(APP.into(), target, None).await);
                });
            }
            Ask::Stats(answer) => {
                let shards = hub.shards().clone();
                spawn_local(async move { _ = answer.send(shards.stats(APP.into()).await) });
            }
            Ask::Drain(done) => {
                spawn_local(drain(self.nodes.clone(), self.hubs.clone(), done));
            }
        }
    }

    fn accept(&mut self, far: Far, taken: oneshot::Sender<bool>) {
        let hub = &self.hubs[self.random.below(self.hubs.len())];
        let request = OpenRequest {
            app: self.entry.clone(),
            protocol: Protocol::SocketIo,
            handshake: Handshake::default(),
        };
        let opened = hub.open_websocket(request);
        // The client may have given up: it will not read.
        _ = taken.send(opened.is_ok());
        let Ok(port) = opened else { return };
        self.dialled += 1;
        let (held, connection) = (self.held.clone(), self.dialled);
        far.hold(&held, connection);
        spawn_local(async move {
            far.carry(port).await;
            held.release(connection);
        });
    }
}

async fn drain(nodes: Nodes, hubs: Vec<Hub>, done: oneshot::Sender<()>) {
    nodes.update(|node| node.draining = true);
    // If the others do not learn of it, they see it leave.
    _ = nodes.renew().await;
    let draining = hubs
        .iter()
        .map(|hub| timeout(DRAIN_PATIENCE, hub.drain(DRAIN_PACE)));
    futures_util::future::join_all(draining).await;
    _ = nodes.leave().await;
    _ = done.send(());
}
