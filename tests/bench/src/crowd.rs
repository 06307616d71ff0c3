//! Rooms full of listeners, and one who speaks to each.
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{sync::Notify, task::JoinSet, time::timeout};

use crate::{
    client::Client,
    figures::Figures,
    frame,
    load::{self, Load, PAYLOAD},
    peers::Running,
    run::{Part, Size},
};

pub(crate) const ONE: &str = "fan-out, flat out";
pub(crate) const ONE_BY_ONE: &str = "fan-out, one by one";
pub(crate) const ONE_PACED: &str = "fan-out, 20 a second";
pub(crate) const TENS: &str = "100 rooms of ten";

/// Messages of a speaker that its listeners have not all heard yet: so many that a server with a queue for each socket can
/// put several into one write, and one, when nobody can.
const AHEAD_IN_ONE: u64 = 8;
const ONE_AT_A_TIME: u64 = 1;
const AHEAD_IN_TENS: u64 = 2;
/// A second, in the room of all.
const PACE: f64 = 20.0;
const ROOM_OF_TEN: usize = 10;
/// Written by its speaker (`said`) and its listeners (`heard`).
struct Room {
    name: String,
    size: u64,
    said: Cell<u64>,
    heard: Cell<u64>,
    /// When each message was due, if they are spoken at a pace.
    due: RefCell<Vec<Instant>>,
    /// Rings when something was heard.
    turn: Notify,
}

/// Clients who listen until this is dropped.
struct Crowd {
    rooms: Vec<Rc<Room>>,
    /// What the listeners count into now.
    load: Rc<RefCell<Rc<Load>>>,
    _listeners: JoinSet<()>,
}

/// One room of all, flat out and at a pace.
pub(crate) async fn visit_one(server: &Running, size: &Size) -> anyhow::Result<Vec<Part>> {
    let crowd = Crowd::gather(server, 1, size.clients).await?;
    let flat = crowd.flat_out(server, size, AHEAD_IN_ONE).await?;
    let single = crowd.flat_out(server, size, ONE_AT_A_TIME).await?;
    let paced = crowd.paced(server, size).await?;
    Ok(vec![(ONE, flat), (ONE_BY_ONE, single), (ONE_PACED, paced)])
}

/// Rooms of ten, flat out.
pub(crate) async fn visit_tens(server: &Running, size: &Size) -> anyhow::Result<Vec<Part>> {
    let crowd = Crowd::gather(server, size.clients / ROOM_OF_TEN, size.clients).await?;
    Ok(vec![(TENS, crowd.flat_out(server, size, AHEAD_IN_TENS).await?)])
}

impl Crowd {
    async fn gather(server: &Running, rooms: usize, listeners: usize) -> anyhow::Result<Self> {
        let rooms: Vec<_> = (0..rooms)
            .map(|number| Rc::new(Room::new(format!("room-{number}"), listeners / rooms)))
            .collect();
        let count = rooms.len();
        let clients = load::gather(server, 0, listeners, |number| {
            Some(format!("room-{}", number % count))
        });
        let load = Rc::new(RefCell::new(Load::new()));
        let mut tasks = JoinSet::new();
        for (number, client) in clients.await?.into_iter().enumerate() {
            if let Some(room) = rooms.get(number % count) {
                tasks.spawn_local(listen(Rc::clone(&load), client, Rc::clone(room)));
            }
        }
        Ok(Self {
            rooms,
            load,
            _listeners: tasks,
        })
    }

    /// Every speaker as fast as its listeners hear it.
    async fn flat_out(&self, server: &Running, size: &Size, ahead: u64) -> anyhow::Result<Figures> {
        let load = self.begin();
        // From elsewhere than the listeners of the same number, if there is an elsewhere.
        let speakers = load::gather(server, 1, self.rooms.len(), |_| None).await?;
        let mut tasks = JoinSet::new();
        for (client, room) in speakers.into_iter().zip(&self.rooms) {
            let room = Rc::clone(room);
            tasks.spawn_local(speak(Rc::clone(&load), client, room, ahead, size.patience));
        }
        let figures = load.measure(server, size.warm_up, size.time).await;
        load.end();
        tasks.join_all().await;
        Ok(figures)
    }

    /// In the first room, so many messages a second, whatever the listeners hear of it.
    async fn paced(&self, server: &Running, size: &Size) -> anyhow::Result<Figures> {
        let load = self.begin();
        let mut speaker = server.join(1).await?;
        let room = self.rooms.first().ok_or_else(|| anyhow::anyhow!("no room"))?;
        let event = room.event();
        let begun = Instant::now();
        let mut span = None;
        for number in 0_u32.. {
            let due = begun + Duration::from_secs_f64(f64::from(number) / PACE);
            tokio::time::sleep_until(due.into()).await;
            if span.is_none() && due >= begun + size.warm_up {
                span = Some(load.begin(server));
            }
            if due >= begun + size.warm_up + size.time {
                break;
            }
            room.due.borrow_mut().push(due);
            room.said.set(room.said.get() + 1);
            speaker.emit(&event).await?;
        }
        while room.missing() > 0 {
            if timeout(size.patience, room.turn.notified()).await.is_err() {
                load.failed(room.missing(), anyhow::anyhow!("deliveries that never came"));
                break;
            }
        }
        Ok(span.map(|span| load.finish(server, &span)).unwrap_or_default())
    }

    fn begin(&self) -> Rc<Load> {
        for room in &self.rooms {
            room.said.set(0);
            room.heard.set(0);
            room.due.borrow_mut().clear();
        }
        let load = Load::new();
        *self.load.borrow_mut() = Rc::clone(&load);
        load
    }
}

impl Room {
    fn new(name: String, size: usize) -> Self {
        Self {
            name,
            size: size as u64,
            said: Cell::new(0),
            heard: Cell::new(0),
            due: RefCell::default(),
            turn: Notify::new(),
        }
    }

    fn event(&self) -> String {
        format!(r#"["say","{}","{PAYLOAD}"]"#, self.name)
    }

    fn missing(&self) -> u64 {
        (self.said.get() * self.size).saturating_sub(self.heard.get())
    }
}

async fn speak(load: Rc<Load>, client: Client, room: Rc<Room>, ahead: u64, patience: Duration) {
    let frame = frame::text(&format!("42{}", room.event()));
    let writer = client.writer();
    loop {
        let has_ended = load.has_ended();
        // What is still under way when it ends would be counted into what comes next.
        let most = if has_ended { 0 } else { (ahead - 1) * room.size };
        while room.missing() > most {
            if timeout(patience, room.turn.notified()).await.is_err() {
                load.failed(room.missing(), anyhow::anyhow!("deliveries that never came"));
                room.heard.set(room.said.get() * room.size);
            }
        }
        if has_ended {
            return;
        }
        room.said.set(room.said.get() + 1);
        if let Err(error) = writer.send(&frame).await {
            load.failed(1, error);
            return;
        }
    }
}

async fn listen(load: Rc<RefCell<Rc<Load>>>, mut client: Client, room: Rc<Room>) {
    // Which message comes next, of those spoken at a pace.
    let mut place = 0;
    loop {
        let heard = match client.heard().await {
            Ok(heard) => heard.events,
            Err(error) => return load.borrow().failed(1, error),
        };
        let load = Rc::clone(&load.borrow());
        load.done(heard);
        room.heard.set(room.heard.get() + heard);
        {
            let due = room.due.borrow();
            if due.is_empty() {
                place = 0;
            } else {
                let now = Instant::now();
                for due in due.iter().skip(place).take(heard as usize) {
                    load.took(now.saturating_duration_since(*due));
                }
                place += heard as usize;
            }
        }
        room.turn.notify_one();
    }
}
