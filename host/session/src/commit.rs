//! A call's effects, carried out: all of them or, if the log does not take them, none. (Of a connect call whose effects it
//! does not take, the socket ends.)
//!
//! What others must see goes through the app's log in one append, so that every core and node sees it in one order. What
//! concerns only the call's own socket is done here, acks held back until the emits before them were delivered.
use std::{sync::Arc, time::Instant};

use router::{Action, Delivery, Effect, Failure, ReplyTo};
use socketio::EventData;

use crate::{
    Hub,
    line::DeferredAck,
    sorted::{Sorted, is_own, sort},
    state::{SocketKey, State},
};

/// Effects that cannot be carried out at once.
struct Left {
    app: Arc<str>,
    /// Boxed: there is rarely any.
    sorted: Box<Sorted>,
}

impl State {
    /// Carries out the effects of a call that only answers its client, as most do; leaves all others.
    fn commit_now(&mut self, key: SocketKey, mut effects: Vec<Effect>, now: Instant) -> Option<Left> {
        match effects.pop() {
            None => return None,
            // Nothing to sort: so it is for most events.
            Some(Effect::Ack { token, data }) if effects.is_empty() && self.may_send(key, now) => {
                self.answer_one(key, token.0, data, now);
                return None;
            }
            Some(last) => effects.push(last),
        }
        let (app, mut sorted) = sort(self, key, effects)?;
        if !sorted.only_answers() || !self.line(&app).sent.wait(now).is_zero() {
            let sorted = Box::new(sorted);
            return Some(Left { app, sorted });
        }
        self.answer_all(key, std::mem::take(&mut sorted.acks), &[], now);
        None
    }

    /// Takes from a call's effects those on its own socket that come before any other, and carries them out. Answers whether
    /// there were any.
    pub(crate) fn change_own_first(&mut self, key: SocketKey, effects: &mut Vec<Effect>) -> bool {
        let Some(socket) = self.sockets.get(key) else {
            return false;
        };
        let own = effects.iter().take_while(|effect| match effect {
            Effect::Join { target, .. } | Effect::Leave { target, .. } => is_own(socket, target),
            Effect::SetState(_) | Effect::StateVersion(_) => true,
            _ => false,
        });
        let count = own.count();
        if count == 0 {
            return false;
        }
        let rest = effects.split_off(count);
        if let Some((app, mut sorted)) = sort(self, key, std::mem::replace(effects, rest)) {
            change_own(self, key, &app, &mut sorted);
        }
        true
    }

    /// Whether what the app has sent is paid for.
    fn may_send(&self, key: SocketKey, now: Instant) -> bool {
        let socket = self.sockets.get(key);
        let line = socket.and_then(|socket| self.lines.get(&socket.app.name));
        line.is_some_and(|line| line.sent.wait(now).is_zero())
    }

    /// The ack of a call that did nothing else: it waits for what earlier calls of its socket have emitted.
    fn answer_one(&mut self, key: SocketKey, id: u64, data: EventData, now: Instant) {
        let Some(socket) = self.sockets.get_mut(key) else {
            return;
        };
        if !socket.pending.take_answer(id) {
            return;
        }
        let after = socket.barrier;
        self.answer_after(after, key, id, data, now);
    }

    /// Sends an ack when the log has been delivered up to `after`.
    fn answer_after(&mut self, after: u64, key: SocketKey, id: u64, data: EventData, now: Instant) {
        let socket = self.sockets.get(key);
        let Some(line) = socket.and_then(|socket| self.lines.get_mut(&socket.app.name)) else {
            return;
        };
        if after <= line.position().1 {
            return self.send_ack(key, id, &data, now);
        }
        let socket = key;
        let deferred = DeferredAck { socket, id, data };
        line.deferred.entry(after).or_default().push(deferred);
    }

    /// Sends acks; those that emits came before are sent when these have been delivered.
    fn answer_all(
        &mut self,
        key: SocketKey,
        acks: Vec<(usize, u64, EventData)>,
        offsets: &[u64],
        now: Instant,
    ) {
        for (entries_before, id, data) in acks {
            let Some(socket) = self.sockets.get(key) else {
                return;
            };
            let after = entries_before
                .checked_sub(1)
                .and_then(|last| offsets.get(last))
                .copied();
            let after = after.unwrap_or(socket.barrier);
            self.answer_after(after, key, id, data, now);
        }
    }
}

impl Hub {
    /// Carries out the effects of one call of `key`'s handler. On an error nothing has happened.
    pub(crate) async fn commit(&self, key: SocketKey, effects: Vec<Effect>) -> Result<(), Failure> {
        let left = self.with(|state, now| state.commit_now(key, effects, now));
        match left {
            None => Ok(()),
            // Boxed: most calls leave nothing, and theirs is the future that is made for every event.
            Some(Left { app, sorted }) => Box::pin(self.apply(Some(key), &app, *sorted)).await,
        }
    }

    /// Carries out effects of a call that is for no socket: a timer's, a push's. Of those with the same `key` the
    /// first counts, within the log's window; volatile events excepted.
    pub async fn commit_detached(
        &self,
        app: &Arc<str>,
        effects: Vec<Effect>,
        key: Option<String>,
    ) -> Result<(), Failure> {
        let (mut sorted, namespace) = (Sorted::default(), Arc::from("/"));
        for effect in effects {
            sorted.add_logged(&namespace, effect);
        }
        sorted.key = key;
        self.apply(None, app, sorted).await
    }

    async fn apply(&self, key: Option<SocketKey>, app: &Arc<str>, mut sorted: Sorted) -> Result<(), Failure> {
        if !sorted.entries.is_empty() || !sorted.volatile.is_empty() || !sorted.acks.is_empty() {
            self.wait_for_out(app).await;
        }
        let offsets = self.append(key, app, &mut sorted).await?;
        let Some(key) = key else {
            self.emit_volatile(app, sorted.volatile).await;
            return Ok(());
        };
        if !sorted.joins.is_empty() || sorted.state.is_some() || sorted.state_version.is_some() {
            self.with(|state, _| change_own(state, key, app, &mut sorted));
            self.save(key).await;
        }
        self.emit_volatile(app, std::mem::take(&mut sorted.volatile))
            .await;
        self.with(|state, now| {
            state.answer_all(key, sorted.acks, &offsets, now);
            if let (Some(last), Some(socket)) = (offsets.last(), state.sockets.get_mut(key)) {
                socket.barrier = *last;
            }
        });
        Ok(())
    }

    /// Puts a call's entries into the log; answers their offsets.
    async fn append(
        &self,
        key: Option<SocketKey>,
        app: &Arc<str>,
        sorted: &mut Sorted,
    ) -> Result<Vec<u64>, Failure> {
        if sorted.entries.is_empty() {
            return Ok(Vec::new());
        }
        let requests = self.expect_reports(key, app, sorted);
        let entries = sorted.entries.drain(..).map(Arc::new).collect();
        let appended = self.0.backplane.append(app, entries, sorted.key.take()).await;
        self.with(|state, now| {
            for (request, timeout_ms) in requests {
                if appended.is_ok() {
                    state.arm_request(request, timeout_ms, now);
                } else {
                    state.collecting.remove(&request);
                }
            }
        });
        let appended = appended.map_err(|error| Failure::Unavailable(error.to_string()))?;
        Ok(appended.offsets)
    }

    /// Before the entries can be delivered: numbers the requests among them. Answers these with their time-outs.
    fn expect_reports(&self, key: Option<SocketKey>, app: &str, sorted: &mut Sorted) -> Vec<(u64, u32)> {
        let (nodes, home) = (self.0.shards.nodes(), self.0.home);
        let mut numbered = Vec::new();
        // Calls for no socket cannot ask: the runtime refuses that.
        let Some(key) = key else { return numbered };
        for (index, token, timeout) in sorted.requests.drain(..) {
            let (own, others) = (nodes.own(), nodes.running(app));
            let request = self.with(|state, _| state.expect_reports(key, token, own, &others));
            if let Some(Action::EmitWithAcks { reply_to, .. }) =
                sorted.entries.get_mut(index).map(|entry| &mut entry.action)
            {
                *reply_to = ReplyTo {
                    incarnation: home.incarnation,
                    shard: home.shard,
                    request,
                };
            }
            numbered.push((request, timeout));
        }
        numbered
    }

    /// To this core's sockets at once, to the others' by publication.
    async fn emit_volatile(&self, app: &Arc<str>, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            self.with(|state, now| state.volatile(app, &delivery, now));
            let mut payload = self.0.home.incarnation.to_le_bytes().to_vec();
            payload.extend_from_slice(&self.0.home.shard.to_le_bytes());
            payload.extend_from_slice(&delivery.encode());
            if let Err(error) = self
                .0
                .backplane
                .publish(&volatile_topic(app), payload.into())
                .await
            {
                tracing::debug!(%app, %error, "a volatile event did not leave this core");
            }
        }
    }

    /// A volatile event that another core published.
    pub(crate) fn receive_volatile(&self, app: &Arc<str>, payload: &bytes::Bytes) {
        let Some((from, delivery)) = payload.split_at_checked(10) else {
            return;
        };
        let mut own = self.0.home.incarnation.to_le_bytes().to_vec();
        own.extend_from_slice(&self.0.home.shard.to_le_bytes());
        if *from == *own {
            return;
        }
        if let Ok(delivery) = Delivery::decode(&payload.slice_ref(delivery)) {
            self.with(|state, now| state.volatile(app, &delivery, now));
        }
    }
}

/// The topic of an app's volatile events.
pub(crate) fn volatile_topic(app: &str) -> String {
    format!("volatile:{app}")
}

fn change_own(state: &mut State, key: SocketKey, app: &Arc<str>, sorted: &mut Sorted) {
    let processed = state.line(app).position().1;
    for (join, room) in std::mem::take(&mut sorted.joins) {
        if join {
            state.join(key, &room, processed);
        } else {
            state.leave(key, &room, processed);
        }
    }
    let Some(socket) = state.sockets.get_mut(key) else {
        return;
    };
    let (state, version) = (sorted.state.take(), sorted.state_version.take());
    if state.is_some() || version.is_some() {
        socket.set_state(state, version);
    }
}
