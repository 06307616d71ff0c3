use std::time::Instant as Point;

use router::Position;
use tokio::time::Instant;

use super::ledger::{PLAIN, ROOMS};

/// One socket as its client knows it: from the CONNECT that named it to the one that named another.
pub(crate) struct Life {
    pub(crate) client: usize,
    pub(crate) namespace: &'static str,
    pub(crate) sid: String,
    pub(crate) born: Point,
    /// What happened to the log up to then, its node knew when this began.
    pub(crate) touched: Point,
    /// `None`: the client has it still.
    pub(crate) ended: Option<Point>,
    pub(crate) receipts: Vec<Receipt>,
    /// Joins and leaves of rooms, in order.
    pub(crate) moves: Vec<Move>,
    /// What its state was when that was last certain, and what it was set to since, perhaps.
    state: String,
    states: Vec<String>,
    /// The position that the client holds, volatile events included.
    told: Option<Position>,
}

pub(crate) struct Receipt {
    pub(crate) at: Point,
    pub(crate) position: Position,
    pub(crate) packet: String,
}

pub(crate) struct Move {
    pub(crate) room: usize,
    pub(crate) joins: bool,
    pub(crate) sent: Point,
    pub(crate) acked: Option<Point>,
    /// It turned out not to have happened.
    pub(crate) void: bool,
}

impl Life {
    pub(crate) fn new(client: usize, namespace: &'static str, sid: String, touched: Point) -> Self {
        Self {
            client,
            namespace,
            sid,
            born: now(),
            touched,
            ended: None,
            receipts: Vec::new(),
            moves: Vec::new(),
            state: String::new(),
            states: Vec::new(),
            told: None,
        }
    }

    /// P1 and P3 as one client sees them: offsets only grow.
    pub(crate) fn receive(&mut self, position: Position, packet: &str) -> Result<(), String> {
        let told = self.told.replace(position);
        self.receipts.push(Receipt {
            at: now(),
            position,
            packet: packet.to_owned(),
        });
        match told {
            Some(told) if told.epoch != position.epoch => {
                Err(format!("got {packet} of another epoch, {position}, after {told}"))
            }
            Some(told) if told.offset >= position.offset => {
                Err(format!("got {packet} at {position} after {told}"))
            }
            _ => Ok(()),
        }
    }

    /// A volatile event, which has no place of its own.
    pub(crate) fn mark(&mut self, position: Position) {
        self.told = Some(position);
    }

    /// Whether the client believes itself in a room.
    pub(crate) fn is_in(&self, room: usize) -> bool {
        let last = self.moves.iter().rfind(|step| step.room == room && !step.void);
        last.is_some_and(|step| step.joins)
    }

    pub(crate) fn moves(&mut self, room: usize, joins: bool) -> usize {
        self.moves.push(Move {
            room,
            joins,
            sent: now(),
            acked: None,
            void: false,
        });
        self.moves.len() - 1
    }

    pub(crate) fn moved(&mut self, step: usize) {
        self.moves[step].acked = Some(now());
    }

    pub(crate) fn sets(&mut self, state: String) {
        self.states.push(state);
    }

    pub(crate) fn set(&mut self, state: &str) {
        state.clone_into(&mut self.state);
        self.states.clear();
    }

    /// What the server says this socket is settles what its client could not know; and must agree with what it did.
    pub(crate) fn is_told(&mut self, sid: &str, rooms: &[String], state: &str) -> Result<(), String> {
        if sid != self.sid {
            return Err(format!("is {sid} to the server"));
        }
        if state != self.state && !self.states.iter().any(|maybe| maybe == state) {
            let (own, maybe) = (&self.state, &self.states);
            return Err(format!(
                "has the state {state:?}, but set {own:?} and perhaps {maybe:?}"
            ));
        }
        self.set(state);
        for (room, name) in ROOMS.iter().enumerate().take(PLAIN) {
            let is_in = rooms.iter().any(|told| told == name);
            self.settle(room, is_in)?;
        }
        Ok(())
    }

    fn settle(&mut self, room: usize, is_in: bool) -> Result<(), String> {
        let own = |step: &&mut Move| step.room == room && !step.void;
        // Unanswered steps, the latest first, until one explains what is.
        for step in self.moves.iter_mut().rev().filter(own) {
            if step.joins == is_in {
                step.acked.get_or_insert_with(now);
                self.settled(room, is_in);
                return Ok(());
            }
            if step.acked.is_some() {
                let done = if step.joins { "joined" } else { "left" };
                return Err(format!(
                    "{done} {} and was told so, but that is lost",
                    ROOMS[room]
                ));
            }
            // A leave that did not last may have been in force for a while.
            step.void = step.joins;
        }
        if is_in {
            return Err(format!("is in {}, which it never joined", ROOMS[room]));
        }
        Ok(())
    }

    /// From here on it is sure again.
    fn settled(&mut self, room: usize, is_in: bool) {
        let last = self.moves.iter().rfind(|step| step.room == room && !step.void);
        if is_in && last.is_some_and(|step| !step.joins) {
            let step = self.moves(room, true);
            self.moved(step);
        }
    }
}

fn now() -> Point {
    Instant::now().into_std()
}
