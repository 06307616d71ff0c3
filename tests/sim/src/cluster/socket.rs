use std::{collections::BTreeMap, time::Duration};

use router::Position;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::ledger::{Absence, Book, HERE, PLAIN, ROOMS, To};
use crate::Random;

/// One namespace of a client: what its library keeps, and what it waits for.
pub(crate) struct Socket {
    pub(crate) namespace: &'static str,
    client: usize,
    book: Book,
    pid: Option<String>,
    /// The last string argument of any event; the library never forgets it, whatever becomes of the socket.
    offset: Option<String>,
    life: Option<usize>,
    joined: bool,
    waiting: BTreeMap<u64, Deed>,
    acks: u64,
    /// See [`Absence`]: since when, at the end of its last connection.
    unheard: Instant,
    untouched: Instant,
}

/// What an ack will say has happened.
enum Deed {
    Message(String),
    /// With a message, in a room that is entered by the log.
    Move(usize, Option<String>),
    Set(String),
    /// Of somebody's socket into a room where nobody else is.
    Lead(Found),
    WhoAmI,
}

/// A socket and a room that it is in.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) namespace: &'static str,
    pub(crate) sid: String,
    pub(crate) room: String,
}

impl Socket {
    pub(crate) fn new(client: usize, namespace: &'static str, book: Book) -> Self {
        Self {
            namespace,
            client,
            book,
            pid: None,
            offset: None,
            life: None,
            joined: false,
            waiting: BTreeMap::new(),
            acks: 0,
            unheard: Instant::now(),
            untouched: Instant::now(),
        }
    }

    pub(crate) fn is_joined(&self) -> bool {
        self.joined
    }

    pub(crate) fn is_busy(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(crate) fn lost(&mut self, heard: Instant, touched: Instant) {
        if std::mem::take(&mut self.joined) {
            (self.unheard, self.untouched) = (heard, touched.min(heard));
        }
        self.waiting.clear();
    }

    pub(crate) fn connect(&self) -> String {
        let auth = self.pid.as_ref().map(|pid| {
            let mut auth = json!({ "pid": pid });
            if let Some(offset) = &self.offset {
                auth["offset"] = offset.as_str().into();
            }
            auth.to_string()
        });
        format!("40{}{}", self.prefix(), auth.unwrap_or_default())
    }

    /// A CONNECT: whether it recovered.
    pub(crate) fn connected(&mut self, data: &Value, window: Duration, touched: Instant) -> bool {
        let pid = data["pid"].as_str().map(str::to_owned);
        let sid = data["sid"].as_str().unwrap().to_owned();
        self.joined = true;
        let recovered = pid.is_some() && pid == self.pid;
        self.pid = pid;
        let mut book = self.book.borrow_mut();
        match self.life {
            Some(life) if recovered => book.recovered(life, &sid, self.unheard.elapsed()),
            before => {
                if let Some(life) = before {
                    let absence = Absence {
                        unheard: self.unheard.elapsed(),
                        untouched: self.untouched.elapsed(),
                    };
                    book.replaced(life, absence, window);
                }
                self.life = Some(book.born(self.client, self.namespace, sid, touched.into_std()));
            }
        }
        recovered
    }

    pub(crate) fn event(&mut self, data: &Value) {
        let args = data.as_array().unwrap();
        let last = args.last().and_then(Value::as_str);
        if self.pid.is_some() {
            self.offset = last.map(str::to_owned).or(self.offset.take());
        }
        let (Some(life), Some(position)) = (self.life, last.and_then(Position::parse)) else {
            let wrong = format!("client {} got an event without a position: {data}", self.client);
            return self.book.borrow_mut().wrong(wrong);
        };
        match args[1].as_str() {
            Some("volatile") => self.book.borrow_mut().lives[life].mark(position),
            Some(id) => self.book.borrow_mut().received(life, position, id),
            None => unreachable!("every message has an id"),
        }
    }

    /// Answers where somebody's socket is now, if the ack says so.
    pub(crate) fn acked(&mut self, ack: Option<u64>, data: &Value) -> Option<Found> {
        let (Some(deed), Some(life)) = (ack.and_then(|ack| self.waiting.remove(&ack)), self.life) else {
            return None;
        };
        let mut book = self.book.borrow_mut();
        if data[0].get("error").is_some() {
            // It may have happened all the same.
            book.note(format_args!("client {} is answered {data}", self.client));
            return None;
        }
        match deed {
            Deed::Message(id) => book.accepted(&id),
            Deed::Move(step, id) => {
                book.lives[life].moved(step);
                id.iter().for_each(|id| book.accepted(id));
            }
            Deed::Set(state) => book.lives[life].set(&state),
            Deed::Lead(found) => return Some(found),
            Deed::WhoAmI => {
                let me = &data[0];
                let rooms: Vec<String> = serde_json::from_value(me["rooms"].clone()).unwrap();
                let (sid, state) = (me["sid"].as_str().unwrap(), me["state"].as_str().unwrap());
                if let Err(wrong) = book.lives[life].is_told(sid, &rooms, state) {
                    let wrong = format!("client {} ({sid}) {wrong}", self.client);
                    book.wrong(wrong);
                }
            }
        }
        None
    }

    /// What everybody who connects is in.
    pub(crate) fn is_here(&self) -> Option<Found> {
        let sid = self.book.borrow().lives[self.life?].sid.clone();
        let (namespace, room) = (self.namespace, HERE.to_owned());
        Some(Found { namespace, sid, room })
    }

    /// Takes somebody's socket, perhaps its own, into a room.
    pub(crate) fn lead(&mut self, random: &mut Random) -> Option<String> {
        let sid = self.someone(random)?;
        let room = format!("{}-{}", self.client, self.acks);
        let args = json!([sid, room]);
        let namespace = self.namespace;
        let found = Found { namespace, sid, room };
        Some(self.call("lead", &args, Deed::Lead(found)))
    }

    pub(crate) fn whoami(&mut self) -> String {
        self.call("whoami", &json!([]), Deed::WhoAmI)
    }

    /// Says goodbye: what it was, it never will be again.
    pub(crate) fn leave(&mut self) -> String {
        if let Some(life) = self.life.take() {
            let ended = Instant::now().into_std();
            self.book.borrow_mut().lives[life].ended = Some(ended);
        }
        (self.pid, self.offset) = (None, None);
        format!("41{}", self.prefix())
    }

    /// Something that people do.
    pub(crate) fn deed(&mut self, random: &mut Random) -> String {
        let room = random.below(ROOMS.len());
        match random.below(20) {
            0..=6 => self.message("say", Some(ROOMS[room]), &To::Room(room)),
            7 => self.message("shout", None, &To::Everyone),
            8..=9 => match self.someone(random) {
                Some(sid) => self.message("say", Some(&sid.clone()), &To::Socket(sid)),
                None => self.message("shout", None, &To::Everyone),
            },
            10 => self.murmur(room),
            11..=13 => self.set(),
            _ => self.go(room),
        }
    }

    /// The last words, when nothing goes wrong any more.
    pub(crate) fn finale(&mut self) -> Vec<String> {
        let mut deeds: Vec<_> = (0..ROOMS.len())
            .map(|room| self.message("say", Some(ROOMS[room]), &To::Room(room)))
            .collect();
        deeds.push(self.message("shout", None, &To::Everyone));
        deeds.push(self.whoami());
        deeds
    }

    fn message(&mut self, name: &str, room: Option<&str>, to: &To) -> String {
        let (client, namespace) = (self.client, self.namespace);
        let id = {
            let mut book = self.book.borrow_mut();
            let id = book.packet(namespace, to.clone());
            book.note(format_args!("client {client} says {id} to {to:?} of {namespace}"));
            id
        };
        let args = room.map_or(json!([id]), |room| json!([room, id]));
        self.call(name, &args, Deed::Message(id))
    }

    fn murmur(&mut self, room: usize) -> String {
        self.call(
            "murmur",
            &json!([ROOMS[room], "volatile"]),
            Deed::Message(String::new()),
        )
    }

    fn set(&mut self) -> String {
        let state = format!("{}-{}", self.client, self.acks);
        if let Some(life) = self.life {
            let mut book = self.book.borrow_mut();
            book.lives[life].sets(state.clone());
            let client = self.client;
            book.note(format_args!("client {client} sets {state}"));
        }
        self.call("set", &json!([state]), Deed::Set(state.clone()))
    }

    fn go(&mut self, room: usize) -> String {
        let (client, namespace, life) = (self.client, self.namespace, self.life.unwrap());
        let (step, joins, id) = {
            let mut book = self.book.borrow_mut();
            let joins = !book.lives[life].is_in(room);
            let id = (room >= PLAIN).then(|| book.packet(namespace, To::Room(room)));
            let verb = if joins { "joins" } else { "leaves" };
            let step = book.lives[life].moves(room, joins);
            book.note(format_args!("client {client} {verb} {} {id:?}", ROOMS[room]));
            (step, joins, id)
        };
        let name = match (joins, id.is_some()) {
            (true, false) => "join",
            (false, false) => "leave",
            (true, true) => "enter",
            (false, true) => "exit",
        };
        let args = id
            .as_ref()
            .map_or(json!([ROOMS[room]]), |id| json!([ROOMS[room], id]));
        self.call(name, &args, Deed::Move(step, id))
    }

    /// The id of somebody's socket in this namespace.
    fn someone(&self, random: &mut Random) -> Option<String> {
        let book = self.book.borrow();
        let living = book.lives.iter().filter(|life| life.ended.is_none());
        let sids: Vec<_> = living
            .filter(|life| life.namespace == self.namespace)
            .map(|life| &life.sid)
            .collect();
        (!sids.is_empty()).then(|| sids[random.below(sids.len())].clone())
    }

    fn call(&mut self, name: &str, args: &Value, deed: Deed) -> String {
        let mut event = vec![Value::from(name)];
        event.extend(args.as_array().unwrap().iter().cloned());
        self.acks += 1;
        self.waiting.insert(self.acks, deed);
        format!("42{}{}{}", self.prefix(), self.acks, Value::from(event))
    }

    fn prefix(&self) -> String {
        match self.namespace {
            "/" => String::new(),
            other => format!("{other},"),
        }
    }
}
