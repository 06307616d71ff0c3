use std::{collections::HashMap, hash::Hash, sync::Arc};

use crate::{Room, Target};

/// Which sockets of one app are in which rooms, on one core. `K` names a socket there.
///
/// Every socket is in the room named by its id without an entry in that room: an idle socket costs one entry.
/// Members of a room are kept sorted, so that deliveries have one order and a leave finds its place by halving.
#[derive(Debug)]
pub struct Membership<K> {
    namespaces: HashMap<Arc<str>, Namespace<K>>,
}

#[derive(Debug)]
struct Namespace<K> {
    sockets: HashMap<Arc<str>, K>,
    rooms: HashMap<Room, Vec<K>>,
}

impl<K> Default for Membership<K> {
    fn default() -> Self {
        Self {
            namespaces: HashMap::new(),
        }
    }
}

impl<K: Copy + Ord + Hash> Membership<K> {
    /// Adds a socket, which is in no room yet but its own. A socket of the same id is replaced.
    pub fn insert(&mut self, namespace: &Arc<str>, id: Arc<str>, key: K) {
        let entry = self
            .namespaces
            .entry(namespace.clone())
            .or_insert_with(|| Namespace {
                sockets: HashMap::new(),
                rooms: HashMap::new(),
            });
        entry.sockets.insert(id, key);
    }

    /// Removes a socket from its namespace and from `rooms`, which must be all that it joined.
    pub fn remove<'a>(&mut self, namespace: &str, id: &str, rooms: impl Iterator<Item = &'a Room>) {
        let Some(entry) = self.namespaces.get_mut(namespace) else {
            return;
        };
        if let Some(key) = entry.sockets.remove(id) {
            for room in rooms {
                entry.leave(key, room);
            }
        }
        if entry.sockets.is_empty() {
            self.namespaces.remove(namespace);
        }
    }

    /// The socket of this id.
    pub fn socket(&self, namespace: &str, id: &str) -> Option<K> {
        self.namespaces.get(namespace)?.sockets.get(id).copied()
    }

    pub fn join(&mut self, namespace: &str, key: K, room: &Room) {
        let Some(entry) = self.namespaces.get_mut(namespace) else {
            return;
        };
        let members = entry.rooms.entry(room.clone()).or_default();
        if let Err(place) = members.binary_search(&key) {
            members.insert(place, key);
        }
    }

    pub fn leave(&mut self, namespace: &str, key: K, room: &str) {
        if let Some(entry) = self.namespaces.get_mut(namespace) {
            entry.leave(key, room);
        }
    }

    /// The sockets of a target, each once, in order of `K`. `found` is cleared first: callers reuse its memory.
    pub fn resolve(&self, target: &Target, found: &mut Vec<K>) {
        found.clear();
        let Some(namespace) = self.namespaces.get(&target.namespace) else {
            return;
        };
        match target.rooms.as_slice() {
            [] => found.extend(namespace.sockets.values().copied()),
            rooms => rooms.iter().for_each(|room| namespace.extend_with(room, found)),
        }
        if target.rooms.len() != 1 {
            found.sort_unstable();
            found.dedup();
        }
        if !target.except.is_empty() {
            let mut left_out = Vec::new();
            target
                .except
                .iter()
                .for_each(|room| namespace.extend_with(room, &mut left_out));
            left_out.sort_unstable();
            found.retain(|key| left_out.binary_search(key).is_err());
        }
    }

    /// How many sockets a target has at most: its rooms' sizes added up, those of `except` not taken away. Cheap.
    pub fn count(&self, target: &Target) -> usize {
        let Some(namespace) = self.namespaces.get(&target.namespace) else {
            return 0;
        };
        let of_room = |room: &Room| {
            let own = usize::from(namespace.sockets.contains_key(&**room));
            own + namespace.rooms.get(room).map_or(0, Vec::len)
        };
        match target.rooms.as_slice() {
            [] => namespace.sockets.len(),
            rooms => rooms.iter().map(of_room).sum(),
        }
    }

    /// Sockets of all namespaces.
    pub fn len(&self) -> usize {
        self.namespaces
            .values()
            .map(|namespace| namespace.sockets.len())
            .sum()
    }

    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }
}

impl<K: Copy + Ord> Namespace<K> {
    /// Appends the members of a room. Each once, except that a room named like a socket's id may repeat that one.
    fn extend_with(&self, room: &str, found: &mut Vec<K>) {
        let own = self.sockets.get(room).copied();
        match (own, self.rooms.get(room)) {
            (own, None) => found.extend(own),
            (None, Some(members)) => found.extend(members),
            (Some(own), Some(members)) => {
                // Another socket joined this one's own room: legal, and the owner is still in it, once.
                found.extend(members.iter().filter(|key| **key != own));
                found.push(own);
            }
        }
    }

    fn leave(&mut self, key: K, room: &str) {
        let Some(members) = self.rooms.get_mut(room) else {
            return;
        };
        if let Ok(place) = members.binary_search(&key) {
            members.remove(place);
        }
        if members.is_empty() {
            self.rooms.remove(room);
        }
    }
}

#[cfg(test)]
mod tests;
