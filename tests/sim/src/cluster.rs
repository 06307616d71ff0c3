//! A cluster's random life, from one seed: nodes that die, stop, drain and come back, a backplane that is slow, cut off and
//! forgetful, and clients that talk all the while. [`crate::checker`] says whether any promise was broken.
use std::{cell::Cell, fmt::Write as _, rc::Rc, sync::Arc, time::Duration};

use router::Target;
use session::AppSettings;
use tokio::{
    sync::mpsc,
    task::{LocalSet, spawn_local},
    time::{Instant, sleep, timeout},
};

mod app;
mod chaos;
mod gate;
mod host;
pub(crate) mod ledger;
pub(crate) mod life;
mod link;
mod person;
mod socket;
mod wire;

pub use ledger::Tally;

use self::{
    host::{APP, Host, Plan, State},
    ledger::{Book, Ledger},
    person::{Order, Person, Stage, Status},
    wire::Roads,
};
use crate::{Faults, Net, Random, checker};

/// How rough a life is, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How long things go wrong.
    pub chaos: Duration,
    /// Whether the backplane itself misbehaves, beside nodes and clients.
    pub foul: bool,
}

/// Runs `seed` again, to be read: what the host says is in the trace.
pub fn replay(seed: u64, shape: Shape) -> Result<Tally, String> {
    crate::seeded(seed, || {
        let scribe = tracing::Dispatch::new(crate::scribe::Scribe);
        tracing::dispatcher::with_default(&scribe, || run(seed, shape))
    })
}

/// Runs `seed`. `Err` has what went wrong, and the trace.
pub fn life(seed: u64, shape: Shape) -> Result<Tally, String> {
    crate::seeded(seed, || run(seed, shape))
}

fn run(seed: u64, shape: Shape) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let local = LocalSet::new();
    let result = runtime.block_on(local.run_until(async {
        let world = World::new(seed, shape).await;
        world.run().await
    }));
    result.map_err(|(wrong, trace)| format!("seed {seed}: {wrong}\n{trace}"))
}

/// A client as the world has it in hand.
struct Client {
    orders: mpsc::UnboundedSender<Order>,
    status: Rc<Cell<Status>>,
}

pub(crate) struct World {
    random: Random,
    shape: Shape,
    net: Net,
    roads: Roads,
    stage: Rc<Stage>,
    book: Book,
    clients: Vec<Client>,
    settings: Arc<AppSettings>,
    started: u64,
}

/// Everything is as it should be again by then: the longest back-off, the longest call that waits in vain, and a lease.
const SETTLED_WITHIN: Duration = Duration::from_secs(150);
/// Consequences that are still to come when all is well: one heartbeat, and a client's way back.
const ECHOES: Duration = Duration::from_secs(60);
/// Between two looks of a node for sockets without a home that no death explains.
const SWEPT_WITHIN: Duration = Duration::from_mins(10);
/// Later than nodes otherwise read, and not later than whoever asks for sockets waits.
const READ_LATE: Duration = Duration::from_millis(300);
/// The last words are answered by then.
const SPOKEN_WITHIN: Duration = Duration::from_secs(60);

impl World {
    async fn new(seed: u64, shape: Shape) -> Self {
        let mut random = Random::new(seed);
        let net = Net::new(random.draw(), Faults::FAIR);
        tokio::spawn(net.clone().run());
        let book: Book = Rc::new(Ledger::new().into());
        let window = Duration::from_secs([40, 60, 90][random.below(3)]);
        let stage = Rc::new(Stage {
            hosts: Vec::new().into(),
            book: book.clone(),
            calm: Cell::new(false),
            quiet: Cell::new(false),
            limbo: Vec::new().into(),
            window,
        });
        let mut world = Self {
            roads: Roads::new(random.draw()),
            settings: Arc::new(settings(window, &mut random)),
            random,
            shape,
            net,
            stage,
            book,
            clients: Vec::new(),
            started: 0,
        };
        for _ in 0..2 + world.random.below(3) {
            let host = world.start();
            world.stage.hosts.borrow_mut().push(host);
        }
        // Before the log is read anywhere, there is nothing to be complete about.
        sleep(Duration::from_secs(1)).await;
        for _ in 0..3 + world.random.below(4) {
            world.invite();
        }
        world
    }

    fn start(&mut self) -> Rc<Host> {
        self.started += 1;
        let name = format!("n{}", self.started);
        let host = Rc::new(Host::start(Plan {
            name: name.clone(),
            handle: self.net.node(),
            roads: self.roads.clone(),
            settings: self.settings.clone(),
            book: self.book.clone(),
            seed: self.random.draw(),
        }));
        self.note(format_args!("{name} ({:x}) starts", host.incarnation));
        host
    }

    fn invite(&mut self) {
        let (orders, ordered) = mpsc::unbounded_channel();
        let status = Rc::new(Cell::new(Status::Away));
        let both = self.random.chance(30);
        let namespaces: &[&'static str] = if both { &["/", "/admin"] } else { &["/"] };
        let person = Person::new(
            self.clients.len(),
            self.stage.clone(),
            namespaces,
            Random::new(self.random.draw()),
            ordered,
            status.clone(),
        );
        spawn_local(person.live());
        self.clients.push(Client { orders, status });
    }

    async fn run(mut self) -> Result<Tally, (String, String)> {
        self.chaos().await;
        self.heal();
        if self.is_right() {
            self.settle().await;
        }
        if self.is_right() {
            self.rest().await;
        }
        let mut book = self.book.borrow_mut();
        match book.wrong.take() {
            None => Ok(book.tally),
            Some(wrong) => {
                let mut trace = std::mem::take(&mut book.trace);
                _ = writeln!(trace, "  settings: window {:?}", self.stage.window);
                Err((wrong, trace))
            }
        }
    }

    fn is_right(&self) -> bool {
        self.book.borrow().wrong.is_none()
    }

    /// Liveness: everyone is connected again, everything is answered, and last words reach everybody.
    async fn settle(&mut self) {
        self.note(format_args!("nothing goes wrong any more"));
        self.until_idle(SETTLED_WITHIN, "connected and answered").await;
        self.stage.quiet.set(true);
        self.until_idle(SPOKEN_WITHIN, "answered").await;
        for client in &self.clients {
            _ = client.orders.send(Order::Finale);
        }
        sleep(Duration::from_millis(100)).await;
        self.until_idle(SPOKEN_WITHIN, "answered their last words").await;
    }

    async fn until_idle(&self, within: Duration, what: &str) {
        let idle = async {
            while self
                .clients
                .iter()
                .any(|client| client.status.get() != Status::Idle)
            {
                sleep(Duration::from_millis(50)).await;
            }
        };
        if timeout(within, idle).await.is_err() {
            let stuck = self.clients.iter().enumerate();
            let stuck: Vec<_> = stuck
                .map(|(id, client)| (id, client.status.get()))
                .filter(|(_, status)| *status != Status::Idle)
                .collect();
            let wrong = format!("after {within:?} these are not {what}: {stuck:?}");
            self.book.borrow_mut().wrong(wrong);
        }
    }

    /// The windows of those who are gone pass; then everything is looked at.
    async fn rest(&mut self) {
        // A copy that was overtaken in the storm may be found out by its next heartbeat only, a lost log by a node's next
        // reading of it.
        sleep(ECHOES).await;
        self.call_roll().await;
        let lives = self.book.borrow().lives.len();
        let sweep = if self.book.borrow().died_unseen {
            SWEPT_WITHIN
        } else {
            Duration::ZERO
        };
        sleep(sweep + self.stage.window + Duration::from_secs(60)).await;
        if self.book.borrow().lives.len() != lives {
            self.book
                .borrow_mut()
                .wrong("somebody joined anew in peace".into());
        }
        for client in &self.clients {
            _ = client.orders.send(Order::Finale);
        }
        sleep(Duration::from_millis(100)).await;
        self.until_idle(SPOKEN_WITHIN, "answered in peace").await;
        // Other nodes' tails are a moment behind the sender's.
        sleep(Duration::from_secs(2)).await;
        let told = self.net.told(APP);
        let epoch = self.net.epoch(APP);
        checker::check(&mut self.book.borrow_mut(), &told, epoch);
        self.check_presence().await;
        self.check_bounds().await;
    }

    /// P9: what clients are told of where sockets are, every node finds, though some of them read the log later.
    async fn call_roll(&self) {
        let hosts = self.hosts();
        hosts.iter().for_each(|host| host.handle.lag(READ_LATE));
        self.book.borrow_mut().asking = true;
        for order in [Order::Lead, Order::Leave] {
            for client in &self.clients {
                _ = client.orders.send(order);
            }
            sleep(Duration::from_millis(100)).await;
            self.until_idle(SPOKEN_WITHIN, "answered, or back").await;
            // Until those who were asked have said what they know.
            sleep(Duration::from_secs(2)).await;
        }
        self.book.borrow_mut().asking = false;
        hosts.iter().for_each(|host| host.handle.lag(Duration::ZERO));
    }

    /// P9: every node knows who is connected, and no record outlives its socket.
    async fn check_presence(&self) {
        for namespace in ["/", "/admin"] {
            let target = Target {
                namespace: namespace.into(),
                rooms: vec![],
                except: vec![],
            };
            let mut expected = self.book.borrow().living(namespace);
            expected.sort();
            for host in self.hosts() {
                let Some(page) = host.fetch(target.clone()).await else {
                    self.book
                        .borrow_mut()
                        .wrong(format!("{} does not say who is there", host.name));
                    continue;
                };
                let found: Vec<String> = page.sockets.iter().map(|socket| socket.id.to_string()).collect();
                if found != expected || !page.partial.is_empty() {
                    let (name, partial) = (&host.name, page.partial);
                    let wrong = format!(
                        "{name} knows of {found:?} in {namespace}, without {partial:?}; there are {expected:?}"
                    );
                    self.book.borrow_mut().wrong(wrong);
                }
            }
        }
        let mut records = self.net.keys(&format!("sessions:{APP}"));
        records.sort();
        let mut living = self.book.borrow().living("/");
        living.extend(self.book.borrow().living("/admin"));
        living.sort();
        if records != living {
            let wrong = format!("there are records of {records:?}, but sockets {living:?}");
            self.book.borrow_mut().wrong(wrong);
        }
    }

    /// Nothing is left over: no session without a client, no socket that is away, no queue that nobody reads.
    async fn check_bounds(&self) {
        let (mut sessions, mut away) = (0, 0);
        for host in self.hosts() {
            let Some(stats) = host.stats().await else { continue };
            sessions += stats.sessions;
            away += stats.away;
        }
        let (clients, unread, planned) = (self.clients.len() as u64, self.net.unread(), self.net.planned());
        if sessions != clients || away > 0 || unread > 0 || planned > PLANNED_MAX {
            let wrong = format!(
                "{sessions} sessions of {clients} clients, {away} sockets away, {unread} steps unread, {planned} planned"
            );
            self.book.borrow_mut().wrong(wrong);
        }
    }

    fn hosts(&self) -> Vec<Rc<Host>> {
        let hosts = self.stage.hosts.borrow();
        let up = hosts.iter().filter(|host| host.state.get() == State::Up);
        up.cloned().collect()
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        self.book.borrow_mut().note(what);
    }
}

/// Messages and deadlines of a quiet cluster: leases, and calls of the last 20 s that were answered.
const PLANNED_MAX: usize = 1000;

fn settings(window: Duration, random: &mut Random) -> AppSettings {
    let mut settings = crate::settings();
    let engine = engineio::Settings {
        ping_interval: Duration::from_secs([5, 25][random.below(2)]),
        ping_timeout: Duration::from_secs([4, 20][random.below(2)]),
        ..(*settings.engine).clone()
    };
    settings.engine = Arc::new(engine);
    if let Some(recovery) = &mut settings.recovery {
        recovery.window = window;
    }
    settings
}

impl Ledger {
    /// The sockets that clients have now.
    fn living(&self, namespace: &str) -> Vec<String> {
        let living = self.lives.iter().filter(|life| life.ended.is_none());
        living
            .filter(|life| life.namespace == namespace)
            .map(|life| life.sid.clone())
            .collect()
    }
}

/// An instant of the virtual clock.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}
