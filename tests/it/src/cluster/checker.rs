//! Judges a [`History`]: is everything that was accepted there, once, in one order, with everyone it was meant for?
//!
//! *In the log* is what was accepted, and what anybody has heard: a message whose ack was lost is everybody's or
//! nobody's. A *life* of a client lasts from a new connection over all connections that recovered it; within one,
//! nothing may be missing.
use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use super::history::{Client, History, Life, Outcome, Said};

/// What was counted. The first four are what is wrong.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Heard again by the same client.
    pub(crate) duplicated: u64,
    /// Heard before what precedes it, or at another offset than others heard it, or in a room of others.
    pub(crate) reordered: u64,
    /// In the log, meant for a client and never heard by it.
    pub(crate) lost: u64,
    /// Lives that were called recovered and miss something: messages, their id, rooms or state.
    pub(crate) falsely_recovered: u64,
    pub(crate) accepted: u64,
    pub(crate) unknown: u64,
    pub(crate) delivered: u64,
    /// Connections after a client's first.
    pub(crate) returns: u64,
    /// Of those, the recovered ones.
    pub(crate) recovered: u64,
    pub(crate) longest_away_ms: u64,
    /// The first things that are wrong, in words.
    pub(crate) findings: Vec<String>,
}

impl Verdict {
    pub(crate) fn of(history: &History) -> Self {
        let mut verdict = Self::default();
        for said in &history.said {
            match said.outcome {
                Outcome::Accepted => verdict.accepted += 1,
                Outcome::Unknown | Outcome::Outstanding => verdict.unknown += 1,
            }
        }
        let log = Log::of(history, &mut verdict);
        for client in &history.clients {
            verdict.judge(client, &log);
        }
        verdict
    }

    pub(crate) fn is_flawless(&self) -> bool {
        [self.duplicated, self.reordered, self.lost, self.falsely_recovered] == [0; 4]
    }

    fn judge(&mut self, client: &Client, log: &Log<'_>) {
        let who = format!("client {}", client.number);
        let mut known = HashSet::new();
        if client.orphans > 0 {
            self.reordered += client.orphans;
            self.find(format!(
                "{who}: {} messages before any connection",
                client.orphans
            ));
        }
        for away in &client.away {
            let ms = away.back.map_or(0.0, |back| back - away.from);
            self.longest_away_ms = self.longest_away_ms.max(ms as u64);
        }
        self.returns += client.lives.len().saturating_sub(1) as u64;
        for (number, life) in client.lives.iter().enumerate() {
            let last = number + 1 == client.lives.len();
            self.delivered += life.heard.len() as u64;
            let again = life.sids.len() as u64 - 1;
            self.returns += again;
            self.recovered += again;
            self.order(&who, client, life, log, &mut known);
            let missing = self.missing(&who, client, life, log, last);
            let same = life.sids.windows(2).all(|pair| pair[0] == pair[1]);
            let whole = !last || self.is_itself(&who, client, life);
            if life.claimed || !same || !whole || (missing > 0 && again > 0) {
                self.falsely_recovered += 1;
                self.find(format!(
                    "{who}: ids {:?}, {missing} messages missing in a life with {again} recoveries",
                    life.sids
                ));
            }
        }
    }

    fn order<'a>(
        &mut self,
        who: &str,
        client: &Client,
        life: &'a Life,
        log: &Log<'_>,
        known: &mut HashSet<&'a str>,
    ) {
        let mut before: Option<Place> = None;
        for (id, offset) in &life.heard {
            if !known.insert(id) {
                self.duplicated += 1;
                self.find(format!("{who}: {id} once more, at {offset}"));
                continue;
            }
            let place = Place::parse(offset);
            if place < before.max(Some(Place::FIRST)) {
                self.reordered += 1;
                self.find(format!("{who}: {id} at {offset} after {before:?}"));
            }
            let room = log.said.get(id.as_str()).map(|said| &said.room);
            if !room.is_some_and(|room| client.rooms.contains(room)) {
                self.reordered += 1;
                self.find(format!("{who}: {id} of {room:?}, where it is not"));
            }
            before = before.max(place);
        }
    }

    /// What is in the log of its rooms between its joining and its end, and not with it.
    fn missing(&mut self, who: &str, client: &Client, life: &Life, log: &Log<'_>, last: bool) -> u64 {
        let Some(joined) = life.joined else {
            return 0;
        };
        let heard: HashSet<&str> = life.heard.iter().map(|(id, _)| id.as_str()).collect();
        let places = || {
            life.heard
                .iter()
                .filter_map(|(id, _)| Some((id, *log.places.get(id.as_str())?)))
        };
        // What was said after it had joined was said for it, and so was everything later in the log.
        let said_after = |id: &str| log.said.get(id).is_some_and(|said| said.at > joined);
        let first = places()
            .filter(|(id, _)| said_after(id))
            .map(|(_, place)| place)
            .min();
        let end = places().map(|(_, place)| place).max();
        let mut missing = 0;
        for room in &client.rooms {
            let mark = history_end(log, room);
            for (place, said) in log.rooms.get(room.as_str()).into_iter().flatten() {
                let since = said.at > joined || first.is_some_and(|first| *place > first);
                // A life that was given up is whole up to where it was; the last one lasts to the end.
                let until = if last { *place <= mark } else { Some(*place) <= end };
                if since && until && !heard.contains(said.id.as_str()) {
                    missing += 1;
                    self.find(format!("{who}: {} at {place:?} is missing", said.id));
                }
            }
            for said in log.unheard.get(room.as_str()).into_iter().flatten() {
                if last && said.at > joined {
                    missing += 1;
                    self.find(format!("{who}: {}, accepted, was heard by nobody", said.id));
                }
            }
        }
        self.lost += missing;
        missing
    }

    /// Its handler knows it by its rooms, state and id.
    fn is_itself(&mut self, who: &str, client: &Client, life: &Life) -> bool {
        let (Some(answer), Some(_), Some(sid)) = (&client.whoami, life.joined, life.sids.last()) else {
            // Not connected in the end: what it has not heard is counted as lost.
            return true;
        };
        let mut rooms = client.rooms.clone();
        rooms.push(sid.clone());
        rooms.sort_unstable();
        let mut found: Vec<String> = serde_json::from_value(answer["rooms"].clone()).unwrap_or_default();
        found.sort_unstable();
        let itself = answer["sid"] == **sid && answer["state"] == client.number && rooms == found;
        if !itself {
            self.find(format!("{who}: is {answer}, not {sid} in {:?}", client.rooms));
        }
        itself
    }

    fn find(&mut self, what: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(what);
        }
    }
}

/// Of thousands that one bug makes.
const FINDINGS_MAX: usize = 20;

/// The log as everybody's receipts tell it.
struct Log<'a> {
    said: HashMap<&'a str, &'a Said>,
    places: HashMap<&'a str, Place>,
    /// What is known to be in the log, by room and in order.
    rooms: HashMap<&'a str, Vec<(Place, &'a Said)>>,
    /// What was accepted and nobody has heard.
    unheard: HashMap<&'a str, Vec<&'a Said>>,
    marks: &'a HashMap<String, String>,
}

impl<'a> Log<'a> {
    fn of(history: &'a History, verdict: &mut Verdict) -> Self {
        let said = history.said.iter().map(|said| (said.id.as_str(), said)).collect();
        let mut places: HashMap<&str, Place> = HashMap::new();
        let lives = history.clients.iter().flat_map(|client| &client.lives);
        for (id, offset) in lives.flat_map(|life| &life.heard) {
            let Some(place) = Place::parse(offset) else {
                continue;
            };
            if *places.entry(id).or_insert(place) != place {
                verdict.reordered += 1;
                verdict.find(format!("{id} is at {:?} and at {place:?}", places[id.as_str()]));
            }
        }
        let mut log = Self {
            said,
            places,
            rooms: HashMap::new(),
            unheard: HashMap::new(),
            marks: &history.marks,
        };
        for said in &history.said {
            let room = said.room.as_str();
            if let Some(place) = log.places.get(said.id.as_str()) {
                log.rooms.entry(room).or_default().push((*place, said));
            } else if said.outcome == Outcome::Accepted {
                log.unheard.entry(room).or_default().push(said);
            }
        }
        log
    }
}

/// Where a room's last word is; what came later (calls whose acks were lost) nobody has waited for.
fn history_end(log: &Log<'_>, room: &str) -> Place {
    let mark = log.marks.get(room);
    mark.and_then(|mark| log.places.get(mark.as_str()))
        .copied()
        .unwrap_or(Place::LAST)
}

/// A position of the log, as clients get it: `EPOCH-OFFSET` in hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    epoch: u32,
    offset: u64,
}

impl Place {
    const FIRST: Self = Self { epoch: 0, offset: 0 };
    const LAST: Self = Self {
        epoch: u32::MAX,
        offset: u64::MAX,
    };

    fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.split_once('-')?;
        Some(Self {
            epoch: u32::from_str_radix(epoch, 16).ok()?,
            offset: u64::from_str_radix(offset, 16).ok()?,
        })
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.epoch, self.offset)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = if self.returns == 0 {
            100.0
        } else {
            self.recovered as f64 * 100.0 / self.returns as f64
        };
        write!(
            f,
            "accepted {}, of unknown fate {}, delivered {}; duplicated {}, reordered {}, lost {}, falsely recovered {}; \
             {} of {} returns recovered ({share:.1} %), longest away {:.1} s",
            self.accepted,
            self.unknown,
            self.delivered,
            self.duplicated,
            self.reordered,
            self.lost,
            self.falsely_recovered,
            self.recovered,
            self.returns,
            self.longest_away_ms as f64 / 1000.0
        )
    }
}

#[cfg(test)]
mod tests;
