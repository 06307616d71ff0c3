//! A client with the rules of socket.io-client 4.8, on frames: it keeps `pid` and the last string argument of any event,
//! hands both back when it reconnects to whichever node, answers pings, and gives a connection up that is silent.
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use router::Target;
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::spawn_local,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    host::Host,
    ledger::Book,
    link::{Link, link},
    socket::{Found, Socket},
};
use crate::Random;

/// A connection that does not open in this time is given up.
const OPEN_PATIENCE: Duration = Duration::from_secs(20);

/// What all clients share.
pub(crate) struct Stage {
    pub(crate) hosts: RefCell<Vec<Rc<Host>>>,
    pub(crate) book: Book,
    /// Nothing goes wrong any more: what was to, and has not yet, does not.
    pub(crate) calm: Cell<bool>,
    /// Nobody does anything of its own accord.
    pub(crate) quiet: Cell<bool>,
    /// Connections that a client forgot and no server knows to be dead.
    pub(crate) limbo: RefCell<Vec<Link>>,
    pub(crate) window: Duration,
}

/// What happens to a client from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Its network fails; the server sees that, or does not.
    Cut { silently: bool },
    /// It neither reads nor answers for a while.
    Stall(Duration),
    /// It leaves for good, and comes anew.
    Leave,
    /// It takes somebody's socket into a room.
    Lead,
    /// It says something to everybody and asks who it is.
    Finale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Away,
    /// Joined, and waits for the ack of something.
    Busy,
    Idle,
}

pub(crate) struct Person {
    stage: Rc<Stage>,
    pub(crate) sockets: Vec<Socket>,
    random: Random,
    orders: mpsc::UnboundedReceiver<Order>,
    status: Rc<Cell<Status>>,
    id: usize,
}

impl Stage {
    /// P9: every node finds a socket where a client was told that it is.
    fn ask_for(&self, found: &Found) {
        if !self.book.borrow().asking {
            return;
        }
        for host in self.hosts.borrow().iter().cloned() {
            let (found, book) = (found.clone(), self.book.clone());
            spawn_local(async move {
                let target = Target {
                    namespace: found.namespace.into(),
                    rooms: vec![found.room.as_str().into()],
                    except: vec![],
                };
                let page = host.fetch(target).await.unwrap_or_default();
                let mut book = book.borrow_mut();
                book.tally.asked += 1;
                if !page.sockets.iter().any(|socket| *socket.id == found.sid) {
                    let wrong = format!("{} does not find {found:?}", host.name);
                    book.wrong(wrong);
                }
            });
        }
    }
}

impl Person {
    pub(crate) fn new(
        id: usize,
        stage: Rc<Stage>,
        namespaces: &[&'static str],
        random: Random,
        orders: mpsc::UnboundedReceiver<Order>,
        status: Rc<Cell<Status>>,
    ) -> Self {
        let socket = |namespace: &&'static str| Socket::new(id, namespace, stage.book.clone());
        Self {
            sockets: namespaces.iter().map(socket).collect(),
            stage,
            random,
            orders,
            status,
            id,
        }
    }

    pub(crate) async fn live(mut self) {
        loop {
            if let Some((host, mut link)) = self.dial().await {
                let lost = self.session(&host, &mut link).await;
                self.sockets
                    .iter_mut()
                    .for_each(|socket| socket.lost(link.heard, host.touched()));
                if lost == Lost::Silently {
                    self.stage.limbo.borrow_mut().push(link);
                }
                self.status.set(Status::Away);
            }
            let backoff = 20 + self.random.below(3_000) as u64;
            sleep(Duration::from_millis(backoff)).await;
        }
    }

    /// Connects to any node, as a load balancer would have it: one that refuses is not tried twice.
    async fn dial(&mut self) -> Option<(Rc<Host>, Link)> {
        let hosts = self.stage.hosts.borrow().clone();
        let host = hosts[self.random.below(hosts.len())].clone();
        let delay = Duration::from_millis(self.random.below(40) as u64);
        let (near, far) = link(delay);
        let taken = timeout(OPEN_PATIENCE, host.dial(far)).await.unwrap_or(false);
        if taken {
            let name = &host.name;
            self.note(format_args!("reaches {name}"));
        }
        taken.then_some((host, near))
    }

    async fn session(&mut self, host: &Host, link: &mut Link) -> Lost {
        let Ok(Some(open)) = timeout(OPEN_PATIENCE, link.receive()).await else {
            return Lost::Seen;
        };
        let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        let ms = |key: &str| Duration::from_millis(open[key].as_u64().unwrap());
        let patience = ms("pingInterval") + ms("pingTimeout");
        for socket in &self.sockets {
            link.send(socket.connect());
        }
        let mut heard = Instant::now();
        let mut next = self.next_deed();
        loop {
            self.show();
            let may_act = self.status.get() == Status::Idle && !self.stage.quiet.get();
            tokio::select! {
                biased;
                Some(order) = self.orders.recv() => match order {
                    Order::Finale => self.finale(link),
                    Order::Lead => self.lead(link),
                    Order::Leave if self.stage.book.borrow().asking => return self.leave(link),
                    _ if self.stage.calm.get() => {}
                    Order::Cut { silently } => {
                        self.note(format_args!("is cut{}", if silently { " silently" } else { "" }));
                        return if silently { Lost::Silently } else { Lost::Seen };
                    }
                    Order::Stall(time) => {
                        self.note(format_args!("stalls for {time:?}"));
                        sleep(time).await;
                    }
                    Order::Leave => return self.leave(link),
                },
                frame = link.receive() => {
                    let Some(text) = frame else {
                        self.note(format_args!("is closed"));
                        return Lost::Seen;
                    };
                    heard = Instant::now();
                    if !self.take(host, link, &text) {
                        return Lost::Seen;
                    }
                }
                () = sleep_until(heard + patience) => {
                    self.note(format_args!("hears nothing any more"));
                    return Lost::Silently;
                }
                () = sleep_until(next), if may_act => {
                    next = self.next_deed();
                    let which = self.random.below(self.sockets.len());
                    let deed = self.sockets[which].deed(&mut self.random);
                    link.send(deed);
                }
            }
        }
    }

    /// False: the connection is of no use any more.
    fn take(&mut self, host: &Host, link: &mut Link, text: &str) -> bool {
        if text == "2" {
            link.send("3".into());
            return true;
        }
        let Some(packet) = text.strip_prefix('4').and_then(Packet::parse) else {
            return true;
        };
        let window = self.stage.window;
        let Some(socket) = self
            .sockets
            .iter_mut()
            .find(|socket| socket.namespace == packet.namespace)
        else {
            return true;
        };
        match packet.kind {
            '0' => {
                if socket.connected(&packet.data, window, host.touched()) {
                    // What became of what was under way is asked before anything else is done.
                    link.send(socket.whoami());
                } else if let Some(found) = socket.is_here() {
                    self.stage.ask_for(&found);
                }
                true
            }
            '2' => {
                socket.event(&packet.data);
                true
            }
            '3' => {
                if let Some(found) = socket.acked(packet.ack, &packet.data) {
                    self.stage.ask_for(&found);
                }
                true
            }
            '4' => {
                // Its library would not try again.
                let wrong = format!("client {} may not join: {}", self.id, packet.data);
                self.stage.book.borrow_mut().wrong(wrong);
                false
            }
            _ => {
                let wrong = format!("client {} was disconnected: {text}", self.id);
                self.stage.book.borrow_mut().wrong(wrong);
                false
            }
        }
    }

    fn leave(&mut self, link: &Link) -> Lost {
        self.note(format_args!("leaves"));
        for socket in &mut self.sockets {
            link.send(socket.leave());
        }
        Lost::Seen
    }

    fn lead(&mut self, link: &Link) {
        for socket in &mut self.sockets {
            if let Some(deed) = socket.lead(&mut self.random) {
                link.send(deed);
            }
        }
    }

    fn finale(&mut self, link: &Link) {
        for socket in &mut self.sockets {
            for deed in socket.finale() {
                link.send(deed);
            }
        }
    }

    fn show(&self) {
        let status = if self.sockets.iter().any(|socket| !socket.is_joined()) {
            Status::Away
        } else if self.sockets.iter().any(Socket::is_busy) {
            Status::Busy
        } else {
            Status::Idle
        };
        self.status.set(status);
    }

    fn next_deed(&mut self) -> Instant {
        Instant::now() + Duration::from_millis(self.random.below(3_000) as u64)
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        let id = self.id;
        self.stage
            .book
            .borrow_mut()
            .note(format_args!("client {id} {what}"));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// The server learns of it.
    Seen,
    Silently,
}

/// A Socket.IO packet in its parts.
struct Packet<'a> {
    kind: char,
    namespace: &'a str,
    ack: Option<u64>,
    data: Value,
}

impl<'a> Packet<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut rest = text.get(1..)?;
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (ack, data) = rest.split_at(digits);
        Some(Self {
            kind: text.chars().next()?,
            namespace,
            ack: ack.parse().ok(),
            data: serde_json::from_str(data).unwrap_or(json!(null)),
        })
    }
}
