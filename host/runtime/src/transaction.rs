use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};

use bytes::Bytes;
use router::{AckToken, Effect, Hits, Limit, Room, SocketView, Target};

use crate::{
    host::{Commit, TimerChange},
    kv::KvTransaction,
    limits::{Limits, Meter, Over},
};

/// What one call has asked for so far. Nothing of it has happened.
pub(crate) struct Transaction {
    /// The socket the call is for.
    pub(crate) socket: Option<SocketView>,
    pub(crate) kv: KvTransaction,
    /// The event that the call may answer, by the name that its guest knows.
    owed: Option<(u32, AckToken)>,
    /// Names of events: a token that a guest kept from a call before this one names no other.
    tokens: u32,
    effects: Vec<Effect>,
    timers: Vec<TimerChange>,
    /// Last key of each page that `list-keys` gave out: its cursors are indices of these, plus one.
    pub(crate) cursors: Vec<String>,
    effects_meter: Meter,
    effect_bytes: Meter,
    reads: Meter,
    kv_writes: Meter,
    host_bytes: Meter,
    fan_out: Meter,
    hits: Arc<Hits>,
}

impl Transaction {
    pub(crate) fn new(hits: Arc<Hits>) -> Self {
        Self {
            hits,
            socket: None,
            owed: None,
            tokens: first_token(),
            kv: KvTransaction::default(),
            effects: Vec::new(),
            timers: Vec::new(),
            cursors: Vec::new(),
            effects_meter: Meter::new(Limit::EffectsPerCall),
            effect_bytes: Meter::new(Limit::EffectBytesPerCall),
            reads: Meter::new(Limit::ReadsPerCall),
            kv_writes: Meter::new(Limit::KvWritesPerCall),
            host_bytes: Meter::new(Limit::HostBytesPerCall),
            fan_out: Meter::new(Limit::FanOutPerCall),
        }
    }

    /// Begins anew: what a failed call left is forgotten.
    pub(crate) fn begin(&mut self, socket: Option<SocketView>) {
        self.socket = socket;
        self.owed = None;
        self.kv = KvTransaction::default();
        self.effects.clear();
        self.timers.clear();
        self.cursors.clear();
        self.count_hits("");
    }

    /// Counts what this call was refused, but for the limit that ended it, which is counted with the failure. All
    /// meters begin anew.
    fn count_hits(&mut self, failed: &str) {
        let meters = [
            &mut self.effects_meter,
            &mut self.effect_bytes,
            &mut self.fan_out,
            &mut self.reads,
            &mut self.kv_writes,
            &mut self.host_bytes,
        ];
        for limit in meters.into_iter().filter_map(Meter::reset) {
            if !failed.starts_with(limit.name()) {
                self.hits.bump(limit);
            }
        }
    }

    /// Ends the call: the effects, and what has to be stored before they happen. `hit`: the limit that ended it.
    pub(crate) fn finish(&mut self, hit: &str) -> (Option<SocketView>, Vec<Effect>, Commit) {
        self.count_hits(hit);
        let kv = std::mem::take(&mut self.kv).into_writes();
        let commit = Commit {
            kv,
            timers: std::mem::take(&mut self.timers),
        };
        (self.socket.take(), std::mem::take(&mut self.effects), commit)
    }

    /// Makes room for one more effect of `bytes`; before the effect is built, so that a flood costs little.
    pub(crate) fn admit(&mut self, bytes: usize, limits: &Limits) -> Result<(), Over> {
        self.effects_meter.take(1, limits.effects_per_call)?;
        self.effect_bytes.take(bytes, limits.effect_bytes_per_call)
    }

    /// Makes room for an emit that `reached` so many sockets.
    pub(crate) fn admit_reach(&mut self, reached: usize, limits: &Limits) -> Result<(), Over> {
        self.fan_out.take(reached, limits.fan_out_per_call)
    }

    /// Counts a limit that no meter of a call stands for.
    pub(crate) fn hit(&self, limit: Limit) {
        self.hits.bump(limit);
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        if self.effects.capacity() == 0 {
            // Mostly there is one.
            self.effects.reserve_exact(1);
        }
        self.effects.push(effect);
    }

    pub(crate) fn push_timer(&mut self, change: TimerChange) {
        self.timers.push(change);
    }

    pub(crate) fn admit_read(&mut self, limits: &Limits) -> Result<(), Over> {
        self.reads.take(1, limits.reads_per_call)
    }

    pub(crate) fn admit_write(&mut self, limits: &Limits) -> Result<(), Over> {
        self.kv_writes.take(1, limits.kv_writes_per_call)
    }

    pub(crate) fn admit_bytes(&mut self, bytes: usize, limits: &Limits) -> Result<(), Over> {
        self.host_bytes.take(bytes, limits.host_bytes_per_call)
    }

    /// The call's own socket, if `id` names it.
    pub(crate) fn own(&self, id: &str) -> Option<&SocketView> {
        self.socket.as_ref().filter(|socket| &*socket.id == id)
    }

    /// State of the own socket as this call has left it.
    pub(crate) fn state(&self, socket: &SocketView) -> Bytes {
        let set = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::SetState(state) => Some(state.clone()),
            _ => None,
        });
        set.unwrap_or_else(|| socket.state.clone())
    }

    /// Rooms of the own socket as this call's joins and leaves have left them.
    pub(crate) fn rooms(&self, socket: &SocketView) -> Vec<Room> {
        let mut rooms: Vec<Room> = socket.rooms.clone();
        for effect in &self.effects {
            match effect {
                Effect::Join {
                    target,
                    rooms: joined,
                } if concerns(target, socket, &rooms) => {
                    for room in joined {
                        if !rooms.contains(room) {
                            rooms.push(Arc::clone(room));
                        }
                    }
                }
                Effect::Leave { target, rooms: left } if concerns(target, socket, &rooms) => {
                    rooms.retain(|room| !left.contains(room));
                }
                _ => {}
            }
        }
        rooms
    }

    /// Names the event that this call may answer.
    pub(crate) fn owe(&mut self, ack: AckToken) -> u32 {
        self.tokens = self.tokens.wrapping_add(1);
        self.owed = Some((self.tokens, ack));
        self.tokens
    }

    /// The event of this call, if that is its name.
    pub(crate) fn owed(&self, token: u32) -> Option<AckToken> {
        self.owed.filter(|(name, _)| *name == token).map(|(_, ack)| ack)
    }

    /// Whether this call has answered `token` already.
    pub(crate) fn answered(&self, token: AckToken) -> bool {
        let same = |effect: &Effect| matches!(effect, Effect::Ack { token: given, .. } if *given == token);
        self.effects.iter().any(same)
    }
}

fn concerns(target: &Target, socket: &SocketView, rooms: &[Room]) -> bool {
    target.namespace == socket.namespace
        && (target.rooms.is_empty() || target.rooms.iter().any(|room| rooms.contains(room)))
        && !target.except.iter().any(|room| rooms.contains(room))
}

/// Where an instance begins to count: far from the others, and where tells nothing of how many there are.
fn first_token() -> u32 {
    RandomState::new().build_hasher().finish() as u32
}
