//! Everything that clients and handlers know happened, written down as it happens: what [`crate::checker`] judges by.
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt::{self, Write as _},
    rc::Rc,
    time::{Duration, Instant as Point},
};

use router::{DisconnectReason, Position};
use tokio::time::Instant;

use super::{host::Host, life::Life};

pub(crate) type Book = Rc<RefCell<Ledger>>;

/// What a run amounted to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Messages whose sender saw them acknowledged, and copies that clients received.
    pub accepted: u64,
    pub received: u64,
    /// Clients that came back and were recovered.
    pub recovered: u64,
    /// Those that were not since their window had passed; or had for the other nodes, while theirs was out of touch with
    /// them; or since the log was lost. For no such reason nobody is: that ends the run.
    pub expired: u64,
    pub astray: u64,
    pub logless: u64,
    pub kills: u64,
    pub pauses: u64,
    pub drains: u64,
    pub cuts: u64,
    pub losses: u64,
    /// Times that a node was asked for a socket which a client knew to be in a room.
    pub asked: u64,
}

pub(crate) struct Ledger {
    pub(crate) packets: BTreeMap<String, Packet>,
    pub(crate) lives: Vec<Life>,
    /// Calls of `handle-connect` and of `handle-disconnect`: the socket and the node.
    pub(crate) connects: Vec<(String, u64)>,
    pub(crate) disconnects: HashMap<String, Vec<Point>>,
    /// Nodes that were killed: what their handlers still had to be told may not have been.
    pub(crate) killed: Vec<u64>,
    /// One of them may have been dead for the others before: what it wrote since is found by their next sweep, no sooner.
    pub(crate) died_unseen: bool,
    pub(crate) log_lost: Option<Point>,
    /// Whoever is told that a socket is in a room asks every node for it.
    pub(crate) asking: bool,
    pub(crate) tally: Tally,
    pub(crate) trace: String,
    pub(crate) wrong: Option<String>,
    start: Instant,
}

/// A message and what its sender knows of it.
pub(crate) struct Packet {
    pub(crate) namespace: &'static str,
    pub(crate) to: To,
    pub(crate) accepted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Room(usize),
    Everyone,
    Socket(String),
}

/// Rooms that a call joins by itself, and rooms that it enters with a message, through the log.
pub(crate) const ROOMS: [&str; 4] = ["plain-0", "plain-1", "logged-0", "logged-1"];
pub(crate) const PLAIN: usize = 2;
/// The room that everybody joins by connecting.
pub(crate) const HERE: &str = "here";

/// How long a client had been without its socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Absence {
    /// Since it heard of the server last: the server counts the window from no earlier.
    pub(crate) unheard: Duration,
    /// Since its node was in touch with the others, which may have counted from then. Not less than `unheard`.
    pub(crate) untouched: Duration,
}

/// Time that things take.
const UNCERTAIN: Duration = Duration::from_secs(2);
/// A node that is in touch knows of a lost log by then.
const BEHIND: Duration = Duration::from_secs(5);

impl Ledger {
    pub(crate) fn new() -> Self {
        Self {
            packets: BTreeMap::new(),
            lives: Vec::new(),
            connects: Vec::new(),
            disconnects: HashMap::new(),
            killed: Vec::new(),
            died_unseen: false,
            log_lost: None,
            asking: false,
            tally: Tally::default(),
            trace: String::new(),
            wrong: None,
            start: Instant::now(),
        }
    }

    pub(crate) fn note(&mut self, what: std::fmt::Arguments<'_>) {
        let at = self.start.elapsed();
        for said in crate::scribe::said() {
            _ = writeln!(self.trace, "            · {said}");
        }
        _ = writeln!(self.trace, "  {:>9.3} {what}", at.as_secs_f64());
    }

    /// The first thing that went wrong counts.
    pub(crate) fn wrong(&mut self, what: String) {
        self.note(format_args!("WRONG: {what}"));
        self.wrong.get_or_insert(what);
    }

    pub(crate) fn killed(&mut self, host: &Host) {
        self.killed.push(host.incarnation);
        self.died_unseen |= host.touched() < Instant::now();
    }

    pub(crate) fn packet(&mut self, namespace: &'static str, to: To) -> String {
        let id = format!("p{}", self.packets.len());
        let packet = Packet {
            namespace,
            to,
            accepted: false,
        };
        self.packets.insert(id.clone(), packet);
        id
    }

    pub(crate) fn accepted(&mut self, id: &str) {
        self.note(format_args!("{id} is accepted"));
        if let Some(packet) = self.packets.get_mut(id) {
            packet.accepted = true;
            self.tally.accepted += 1;
        }
    }

    pub(crate) fn received(&mut self, life: usize, position: Position, id: &str) {
        self.tally.received += 1;
        let client = self.lives[life].client;
        self.note(format_args!("client {client} gets {id} at {position}"));
        let life = &mut self.lives[life];
        if let Err(wrong) = life.receive(position, id) {
            let wrong = format!("client {} ({}) {wrong}", life.client, life.sid);
            self.wrong(wrong);
        }
    }

    /// `touched`: until then the node that says so was certain to know which log is the app's.
    pub(crate) fn born(
        &mut self,
        client: usize,
        namespace: &'static str,
        sid: String,
        touched: Point,
    ) -> usize {
        self.note(format_args!("client {client} joins {namespace} as {sid}"));
        self.lives.push(Life::new(client, namespace, sid, touched));
        self.lives.len() - 1
    }

    pub(crate) fn recovered(&mut self, life: usize, sid: &str, away: Duration) {
        self.tally.recovered += 1;
        let (client, own) = (self.lives[life].client, self.lives[life].sid.clone());
        self.note(format_args!(
            "client {client} is recovered as {sid} after {away:?}"
        ));
        if sid != own {
            self.wrong(format!("client {client} is recovered as {sid}, but it was {own}"));
        }
        // That its end was told already may be news that overtook this: then it is not for long, and the checker sees that
        // it was not.
    }

    /// The client was told that it is another now: P2 says when it may be.
    pub(crate) fn replaced(&mut self, life: usize, absence: Absence, window: Duration) {
        let found = &mut self.lives[life];
        found.ended = Some(Instant::now().into_std());
        let (client, sid, touched) = (found.client, found.sid.clone(), found.touched);
        let has_passed = |time: Duration| time + UNCERTAIN >= window;
        let cause = if self.log_lost.is_some_and(|lost| touched <= lost + BEHIND) {
            self.tally.logless += 1;
            "the log was lost"
        } else if has_passed(absence.unheard) {
            self.tally.expired += 1;
            "its window has passed"
        } else if has_passed(absence.untouched) {
            self.tally.astray += 1;
            "its node was out of touch"
        } else {
            let wrong = format!("client {client} ({sid}) was not recovered, in its time: {absence:?}");
            return self.wrong(wrong);
        };
        self.note(format_args!("client {client} is no longer {sid}: {cause}"));
    }

    pub(crate) fn connected(&mut self, sid: &str, node: u64) {
        self.connects.push((sid.to_owned(), node));
    }

    pub(crate) fn disconnected(&mut self, sid: &str, node: u64, reason: DisconnectReason) {
        self.note(format_args!(
            "node {node:x} is told that {sid} is gone: {reason:?}"
        ));
        let at = Instant::now().into_std();
        self.disconnects.entry(sid.to_owned()).or_default().push(at);
    }
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.received += other.received;
        self.recovered += other.recovered;
        self.expired += other.expired;
        self.astray += other.astray;
        self.logless += other.logless;
        self.kills += other.kills;
        self.pauses += other.pauses;
        self.drains += other.drains;
        self.cuts += other.cuts;
        self.losses += other.losses;
        self.asked += other.asked;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} accepted, {} received, {} recovered; 0 refused in time, {} after it, {} whose node was out of touch, {} \
             whose log was lost; {} kills, {} stops, {} drains, {} cuts, {} logs lost; {} times asked for a socket",
            self.accepted,
            self.received,
            self.recovered,
            self.expired,
            self.astray,
            self.logless,
            self.kills,
            self.pauses,
            self.drains,
            self.cuts,
            self.losses,
            self.asked
        )
    }
}
