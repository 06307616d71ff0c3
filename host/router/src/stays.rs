use compact::Few;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeSeq};

use crate::{Action, Delivery, Room, Target};

/// When one socket was in which rooms, by offsets of its app's log.
///
/// Live delivery asks who is in a room now; replay asks who was in it then. Keeping both ends of each stay makes
/// the two agree to the packet: a room joined after a packet does not get it by recovering.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stays {
    /// Most sockets join one room, or none. Stored as a list.
    #[serde(serialize_with = "store", deserialize_with = "restore")]
    stays: Few<Stay>,
}

/// In `room` for the packets with `from < offset <= until`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stay {
    room: Room,
    from: u64,
    until: Option<u64>,
}

/// Stays that ended are kept for replay, but no more than this many: a socket that hops rooms faster than its
/// log forgets would otherwise grow without bound. Beyond, [`Stays::complete_after`] moves up.
const ENDED_STAYS_MAX: usize = 256;

impl Stays {
    /// Joins a room as of `offset`. Answers whether that changed anything.
    pub fn join(&mut self, room: &Room, offset: u64) -> bool {
        if self.contains(room) {
            return false;
        }
        self.stays.push(Stay {
            room: room.clone(),
            from: offset,
            until: None,
        });
        true
    }

    /// Leaves a room as of `offset`. Answers the offset after which the record of past stays is complete, if
    /// this leave had to forget one.
    pub fn leave(&mut self, room: &str, offset: u64) -> Option<u64> {
        let stay = self
            .stays
            .iter_mut()
            .find(|stay| stay.until.is_none() && *stay.room == *room)?;
        stay.until = Some(offset);
        let ended = self.stays.iter().filter(|stay| stay.until.is_some()).count();
        if ended <= ENDED_STAYS_MAX {
            return None;
        }
        let oldest = self.stays.iter().filter_map(|stay| stay.until).min()?;
        self.forget(oldest);
        Some(oldest)
    }

    /// Forgets stays that ended at or before `offset`: nothing up to it will be replayed.
    pub fn forget(&mut self, offset: u64) {
        self.stays
            .retain(|stay| stay.until.is_none_or(|until| until > offset));
    }

    /// The rooms the socket is in now, its own not included.
    pub fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.stays
            .iter()
            .filter(|stay| stay.until.is_none())
            .map(|stay| &stay.room)
    }

    /// The offset of the last change that it knows of.
    pub fn latest(&self) -> u64 {
        let changes = self.stays.iter().map(|stay| stay.until.unwrap_or(stay.from));
        changes.max().unwrap_or(0)
    }

    /// Every room of the record, past ones included; a room may repeat.
    pub fn all_rooms(&self) -> impl Iterator<Item = &Room> {
        self.stays.iter().map(|stay| &stay.room)
    }

    pub fn contains(&self, room: &str) -> bool {
        self.rooms().any(|own| **own == *room)
    }

    /// Whether the socket `id` of `namespace` was meant by an entry of the log at `offset`.
    pub fn was_meant(&self, namespace: &str, id: &str, target: &Target, offset: u64) -> bool {
        let was_in = |room: &Room| **room == *id || self.was_in(room, offset);
        *target.namespace == *namespace
            && (target.rooms.is_empty() || target.rooms.iter().any(was_in))
            && !target.except.iter().any(was_in)
    }

    fn was_in(&self, room: &str, offset: u64) -> bool {
        self.stays.iter().any(|stay| {
            *stay.room == *room && stay.from < offset && stay.until.is_none_or(|until| offset <= until)
        })
    }
}

fn store<S: Serializer>(stays: &Few<Stay>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(stays.len()))?;
    stays.iter().try_for_each(|stay| list.serialize_element(stay))?;
    list.end()
}

fn restore<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Few<Stay>, D::Error> {
    Ok(Vec::deserialize(deserializer)?.into_iter().collect())
}

/// What an entry of the log is to a socket that replays it.
#[derive(Debug, PartialEq, Eq)]
pub enum Replayed<'a> {
    /// Not meant for it, or an act that has shown its effect already.
    Nothing,
    Emit(&'a socketio::EventData),
    /// The socket was disconnected while it was away.
    Disconnected,
}

/// One step of a replay. `seen` is the offset through which membership changes were applied to `stays` while
/// they happened; later ones are applied here. `forgotten` moves up where that had to forget a stay (see
/// [`Stays::leave`]): the next replay may not begin before it.
pub fn replay<'a>(
    (stays, forgotten): (&mut Stays, &mut u64),
    (namespace, id): (&str, &str),
    seen: u64,
    offset: u64,
    delivery: &'a Delivery,
) -> Replayed<'a> {
    if !stays.was_meant(namespace, id, &delivery.target, offset) {
        return Replayed::Nothing;
    }
    match &delivery.action {
        Action::Emit(data) => return Replayed::Emit(data),
        _ if offset <= seen => {}
        Action::Join(rooms) => rooms.iter().for_each(|room| _ = stays.join(room, offset)),
        Action::Leave(rooms) => {
            let complete_after = rooms.iter().filter_map(|room| stays.leave(room, offset));
            *forgotten = complete_after.fold(*forgotten, u64::max);
        }
        Action::Disconnect { .. } => return Replayed::Disconnected,
        Action::EmitWithAck { .. } | Action::EmitWithAcks { .. } => {}
    }
    Replayed::Nothing
}

#[cfg(test)]
mod tests;
