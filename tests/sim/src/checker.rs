//! Judges a life after the fact, from what clients saw and what the log had: P1 to P5, and that ends are told.
//!
//! The log says who was meant: by order where membership went through it, by the times at which a client knew itself
//! in a room where it did not. Between "must have received" and "must not" lies what nobody can know.
use std::collections::{BTreeMap, HashMap};

use router::{Action, Delivery, Epoch};

use crate::{
    Told,
    cluster::{
        ledger::{Ledger, PLAIN, ROOMS, To},
        life::Life,
    },
};

/// Writes the first broken promise into the ledger.
pub(crate) fn check(book: &mut Ledger, told: &[Told], epoch: Epoch) {
    let mut wrongs = Vec::new();
    let log = Log::of(told, &mut wrongs);
    for (id, packet) in &book.packets {
        if packet.accepted && !log.places.contains_key(id) {
            wrongs.push(format!("{id} was acknowledged and is in no log"));
        }
    }
    for life in &book.lives {
        check_life(book, &log, life, epoch, &mut wrongs);
        check_end(book, life, &mut wrongs);
    }
    for (sid, node) in &book.connects {
        let known = book.lives.iter().any(|life| life.sid == *sid);
        if !known && !book.disconnects.contains_key(sid) && !book.killed.contains(node) {
            wrongs.push(format!(
                "{sid} joined, no client ever knew, and its end was not told"
            ));
        }
    }
    for wrong in wrongs {
        book.wrong(wrong);
    }
}

/// The log, as it was ever stored.
struct Log<'a> {
    entries: BTreeMap<(u32, u64), Entry<'a>>,
    places: HashMap<String, (u32, u64)>,
}

struct Entry<'a> {
    told: &'a Told,
    /// `None`: it moves sockets.
    packet: Option<String>,
}

impl<'a> Log<'a> {
    fn of(told: &'a [Told], wrongs: &mut Vec<String>) -> Self {
        let (mut entries, mut places) = (BTreeMap::new(), HashMap::new());
        for told in told {
            let packet = packet_of(&told.delivery);
            let place = (told.position.epoch.0, told.position.offset);
            if let Some(id) = &packet
                && places.insert(id.clone(), place).is_some()
            {
                wrongs.push(format!("{id} is in the log twice"));
            }
            entries.insert(place, Entry { told, packet });
        }
        Self { entries, places }
    }

    fn epoch(&self, epoch: Epoch) -> impl Iterator<Item = &Entry<'a>> {
        let range = self.entries.range((epoch.0, 0)..=(epoch.0, u64::MAX));
        range.map(|(_, entry)| entry)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Must,
    May,
    Never,
}

fn check_life(book: &Ledger, log: &Log<'_>, life: &Life, epoch: Epoch, wrongs: &mut Vec<String>) {
    let who = format!("client {} ({})", life.client, life.sid);
    let mut got = HashMap::new();
    for receipt in &life.receipts {
        let place = (receipt.position.epoch.0, receipt.position.offset);
        if log.places.get(&receipt.packet) != Some(&place) {
            wrongs.push(format!(
                "{who} got {} at {}, where it is not",
                receipt.packet, receipt.position
            ));
        }
        got.insert(receipt.packet.as_str(), receipt.at);
    }
    let last = life.receipts.last();
    let of_life = match (life.ended, last) {
        (None, _) => epoch,
        (Some(_), Some(last)) => last.position.epoch,
        (Some(_), None) => return,
    };
    let mut entered = [false; ROOMS.len()];
    for entry in log.epoch(of_life) {
        let Some(id) = &entry.packet else {
            follow(life, &entry.told.delivery, &mut entered);
            continue;
        };
        let Some(packet) = book
            .packets
            .get(id)
            .filter(|packet| packet.namespace == life.namespace)
        else {
            continue;
        };
        let receipt = got.get(id.as_str()).copied();
        let verdict = verdict(life, &packet.to, entry.told, receipt, entered);
        let place = entry.told.position;
        match (verdict, receipt) {
            (Verdict::Must, None) => {
                let since = if life.ended.is_none() {
                    "is connected".to_owned()
                } else {
                    format!("got {}", last.map_or("", |last| &last.packet))
                };
                wrongs.push(format!(
                    "{who} never got {id} ({:?}) at {place}, and {since} after it",
                    packet.to
                ));
            }
            (Verdict::Never, Some(_)) => {
                wrongs.push(format!(
                    "{who} got {id} ({:?}) at {place}, which was not meant for it",
                    packet.to
                ));
            }
            _ => {}
        }
    }
}

/// Membership that went through the log.
fn follow(life: &Life, delivery: &Delivery, entered: &mut [bool; ROOMS.len()]) {
    let target = &delivery.target;
    if *target.namespace != *life.namespace || !target.rooms.iter().any(|room| **room == *life.sid) {
        return;
    }
    let (rooms, joins) = match &delivery.action {
        Action::Join(rooms) => (rooms, true),
        Action::Leave(rooms) => (rooms, false),
        _ => return,
    };
    for (room, name) in ROOMS.iter().enumerate().skip(PLAIN) {
        if rooms.iter().any(|joined| **joined == **name) {
            entered[room] = joins;
        }
    }
}

fn verdict(
    life: &Life,
    to: &To,
    told: &Told,
    receipt: Option<std::time::Instant>,
    entered: [bool; ROOMS.len()],
) -> Verdict {
    // Of a life that is over only what lies before its last event is known.
    let seen = |until: Option<std::time::Instant>| {
        let mut receipts = life.receipts.iter();
        let later = receipts.any(|receipt| {
            receipt.position.offset > told.position.offset && until.is_none_or(|until| receipt.at < until)
        });
        let must = later || (life.ended.is_none() && until.is_none());
        if must { Verdict::Must } else { Verdict::May }
    };
    match to {
        To::Socket(sid) if *sid == life.sid => seen(None),
        To::Socket(_) => Verdict::Never,
        To::Everyone if told.at > life.born => seen(None),
        To::Everyone => Verdict::May,
        To::Room(room) if *room >= PLAIN => {
            if entered[*room] {
                seen(None)
            } else {
                Verdict::Never
            }
        }
        To::Room(room) => plain(life, *room, told, receipt, &seen),
    }
}

/// Membership by the client's clock: sure between the answer to a join and the next leave.
fn plain(
    life: &Life,
    room: usize,
    told: &Told,
    receipt: Option<std::time::Instant>,
    seen: &dyn Fn(Option<std::time::Instant>) -> Verdict,
) -> Verdict {
    let steps: Vec<_> = life.moves.iter().filter(|step| step.room == room).collect();
    if let Some(at) = receipt {
        let before = steps.iter().rfind(|step| step.sent <= at);
        let out =
            before.is_none_or(|step| !step.joins && !step.void && step.acked.is_some_and(|acked| acked < at));
        return if out { Verdict::Never } else { Verdict::May };
    }
    let lasting: Vec<_> = steps.into_iter().filter(|step| !step.void).collect();
    for (index, step) in lasting.iter().enumerate() {
        let sure = step.joins && step.acked.is_some_and(|acked| acked < told.at);
        if !sure {
            continue;
        }
        let until = lasting
            .iter()
            .skip(index)
            .find(|step| !step.joins)
            .map(|step| step.sent);
        if seen(until) == Verdict::Must {
            return Verdict::Must;
        }
    }
    Verdict::May
}

/// `handle-disconnect` is called for everyone who is gone for good, and for nobody who is not.
fn check_end(book: &Ledger, life: &Life, wrongs: &mut Vec<String>) {
    let told = book.disconnects.contains_key(&life.sid);
    let who = format!("client {} ({})", life.client, life.sid);
    match life.ended {
        None if told => wrongs.push(format!("{who} is there, and its end was told")),
        Some(_) if !told => wrongs.push(format!("{who} is gone for good, and its end was never told")),
        _ => {}
    }
}

fn packet_of(delivery: &Delivery) -> Option<String> {
    let Action::Emit(data) = &delivery.action else {
        return None;
    };
    let (_, args) = data.clone().split();
    let args: Vec<serde_json::Value> = serde_json::from_str(&args).ok()?;
    args.first()?.as_str().map(str::to_owned)
}
