use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures_util::{StreamExt, stream};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{MissedTickBehavior, interval_at, sleep},
};

use super::stack::Stack;
use crate::client::Client;

/// How listeners sit in rooms.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rooms {
    /// The speaker of each room on one node, its ten listeners on the others.
    OfTen,
    /// The same, ten times a second in each room, however fast they could be.
    OfTenPaced,
    /// One speaker, its listeners on all nodes alike.
    One,
}

/// What one measurement read.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) deliveries: u64,
    pub(crate) elapsed: Duration,
    /// Processor time meanwhile.
    pub(crate) servers: Duration,
    pub(crate) broker: Duration,
}

/// Clients that listen, each in a room of ten and in the room of all, and clients that speak. They leave when dropped.
pub(crate) struct Crowd {
    shared: Rc<Shared>,
    listeners: usize,
    _tasks: JoinSet<()>,
}

struct Shared {
    /// Rooms of ten, then the room of all; as many speakers.
    rooms: Vec<Room>,
    speaking: Cell<Option<Rooms>>,
    deliveries: Cell<u64>,
    /// Whose connection ended: no figure is worth anything then.
    failure: RefCell<Option<anyhow::Error>>,
}

/// Written by its speaker (`said`) and its listeners (`heard`).
struct Room {
    name: String,
    size: u64,
    said: Cell<u64>,
    heard: Cell<u64>,
    /// Rings when the speaker may go on.
    turn: Notify,
}

const ROOM_OF_TEN: usize = 10;
const ALL: &str = "all";
/// Messages of a speaker that its listeners have not all heard yet: enough to keep every process busy.
const AHEAD_IN_ROOMS_OF_TEN: u64 = 2;
const AHEAD_IN_ONE: u64 = 8;
const BEAT: Duration = Duration::from_millis(100);
const JOINING_AT_ONCE: usize = 64;
const WARM_UP: Duration = Duration::from_secs(2);
/// Until everything said has been heard, or never will be.
const QUIET: Duration = Duration::from_secs(30);
const PAYLOAD: &str = "0123456789012345678901234567890123456789012345678901234567890123";

impl Crowd {
    /// Connects everybody.
    pub(crate) async fn gather(stack: &Stack, listeners: usize) -> anyhow::Result<Self> {
        let count = listeners / ROOM_OF_TEN;
        let listeners = count * ROOM_OF_TEN;
        let of_ten = (0..count).map(|number| Room::new(format!("room-{number}"), ROOM_OF_TEN));
        let shared = Rc::new(Shared {
            rooms: of_ten.chain([Room::new(ALL.to_owned(), listeners)]).collect(),
            speaking: Cell::new(None),
            deliveries: Cell::new(0),
            failure: RefCell::new(None),
        });
        let joining = (0..listeners).map(|number| listener(stack, number, count));
        let joined: Vec<_> = stream::iter(joining).buffered(JOINING_AT_ONCE).collect().await;
        let speaking = (0..=count).map(|number| join(stack, number, Vec::new()));
        let speakers: Vec<_> = stream::iter(speaking).buffered(JOINING_AT_ONCE).collect().await;
        let mut tasks = JoinSet::new();
        for (number, client) in joined.into_iter().enumerate() {
            tasks.spawn_local(listen(Rc::clone(&shared), client?, number % count));
        }
        for (number, client) in speakers.into_iter().enumerate() {
            tasks.spawn_local(speak(Rc::clone(&shared), client?, number));
        }
        Ok(Self {
            shared,
            listeners,
            _tasks: tasks,
        })
    }

    /// Has the speakers speak, and reads what that takes.
    pub(crate) async fn measure(&self, rooms: Rooms, stack: &Stack, seconds: f64) -> anyhow::Result<Figures> {
        assert!(self.listeners > 0, "figures of nobody");
        self.shared.speak(Some(rooms));
        sleep(WARM_UP).await;
        let (begun, used, before) = (Instant::now(), stack.used()?, self.shared.deliveries.get());
        sleep(Duration::from_secs_f64(seconds)).await;
        let (elapsed, later) = (begun.elapsed(), stack.used()?);
        let deliveries = self.shared.deliveries.get() - before;
        self.shared.speak(None);
        self.shared.quiet().await.with_context(|| stack.failures())?;
        Ok(Figures {
            deliveries,
            elapsed,
            servers: later.servers.saturating_sub(used.servers),
            broker: later.broker.saturating_sub(used.broker),
        })
    }
}

impl Shared {
    fn speak(&self, rooms: Option<Rooms>) {
        self.speaking.set(rooms);
        for room in &self.rooms {
            room.turn.notify_one();
        }
    }

    /// Until everything that was said has been heard.
    async fn quiet(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + QUIET;
        loop {
            if let Some(error) = self.failure.take() {
                return Err(error);
            }
            let missing: u64 = self.rooms.iter().map(Room::missing).sum();
            if missing == 0 {
                return Ok(());
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "{missing} deliveries never came: {}",
                self.behind()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where something is missing: what was said, and heard.
    fn behind(&self) -> String {
        let behind = self.rooms.iter().filter(|room| room.missing() > 0);
        let places = behind.map(|room| {
            format!(
                "{} {}×{}-{}",
                room.name,
                room.said.get(),
                room.size,
                room.heard.get()
            )
        });
        places.take(5).collect::<Vec<_>>().join(", ")
    }

    /// How far the speaker of a room may be ahead of its listeners now.
    fn ahead(&self, number: usize) -> u64 {
        let is_last = number + 1 == self.rooms.len();
        match self.speaking.get() {
            Some(Rooms::OfTen) if !is_last => AHEAD_IN_ROOMS_OF_TEN,
            Some(Rooms::One) if is_last => AHEAD_IN_ONE,
            _ => 0,
        }
    }

    fn keeps_beat(&self, number: usize) -> bool {
        self.speaking.get() == Some(Rooms::OfTenPaced) && number + 1 < self.rooms.len()
    }

    /// What listeners of a room of ten hear is said there, or to all.
    fn heard(&self, number: usize, messages: u64) {
        self.deliveries.set(self.deliveries.get() + messages);
        let all =
            self.speaking.get() == Some(Rooms::One) || self.rooms.last().is_some_and(|all| all.missing() > 0);
        let room = if all {
            self.rooms.last()
        } else {
            self.rooms.get(number)
        };
        if let Some(room) = room {
            room.heard.set(room.heard.get() + messages);
            room.turn.notify_one();
        }
    }
}

impl Room {
    fn new(name: String, size: usize) -> Self {
        Self {
            name,
            size: size as u64,
            said: Cell::new(0),
            heard: Cell::new(0),
            turn: Notify::new(),
        }
    }

    fn missing(&self) -> u64 {
        (self.said.get() * self.size).saturating_sub(self.heard.get())
    }
}

/// On another node than its room's speaker, if there is another.
fn listener(stack: &Stack, number: usize, rooms: usize) -> impl Future<Output = anyhow::Result<Client>> {
    let (room, place) = (number % rooms, number / rooms);
    let others = stack.nodes.len() - 1;
    let node = if others == 0 { 0 } else { room + 1 + place % others };
    join(stack, node, vec![format!("room-{room}"), ALL.to_owned()])
}

fn join(stack: &Stack, node: usize, rooms: Vec<String>) -> impl Future<Output = anyhow::Result<Client>> {
    let address = stack.nodes.get(node % stack.nodes.len()).copied();
    let app = stack.app;
    async move {
        let address = address.ok_or_else(|| anyhow::anyhow!("a stack without nodes"))?;
        let mut client = Client::join(address, app).await?;
        for room in rooms {
            client.call(&format!(r#"["join","{room}"]"#)).await?;
        }
        Ok(client)
    }
}

async fn listen(shared: Rc<Shared>, mut client: Client, room: usize) {
    loop {
        match client.events().await {
            Ok(events) => shared.heard(room, events),
            Err(error) => return drop(shared.failure.replace(Some(error))),
        }
    }
}

async fn speak(shared: Rc<Shared>, mut client: Client, number: usize) {
    if let Err(error) = speak_on(&shared, &mut client, number).await {
        drop(shared.failure.replace(Some(error)));
    }
}

async fn speak_on(shared: &Shared, client: &mut Client, number: usize) -> anyhow::Result<()> {
    let room = shared.rooms.get(number).context("a speaker without a room")?;
    let event = format!(r#"["say","{}","{PAYLOAD}"]"#, room.name);
    // Not all in the same moment.
    let share = number as f64 / shared.rooms.len() as f64;
    let mut beat = interval_at(tokio::time::Instant::now() + BEAT.mul_f64(share), BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        // A message counts as heard when as many deliveries have come as it has listeners.
        while room.missing().div_ceil(room.size) < shared.ahead(number) {
            room.said.set(room.said.get() + 1);
            client.emit(&event).await?;
        }
        tokio::select! {
            () = room.turn.notified() => {}
            // Asked again: the beat may have ended in this very moment, and what is said then is nobody's.
            _ = beat.tick(), if shared.keeps_beat(number) => if shared.keeps_beat(number) {
                room.said.set(room.said.get() + 1);
                client.emit(&event).await?;
            },
            // Heartbeats.
            heard = client.events() => drop(heard?),
        }
    }
}
