//! A call's effects, sorted by how they are carried out.
use std::sync::Arc;

use router::{Action, Delivery, Effect, ReplyTo, Target};
use socketio::EventData;

use crate::{
    socket::Socket,
    state::{SocketKey, State},
};

/// Effects sorted by how they are carried out.
#[derive(Default)]
pub(crate) struct Sorted {
    pub(crate) entries: Vec<Delivery>,
    /// Entries that ask many for an answer: their index, token and time-out.
    pub(crate) requests: Vec<(usize, Arc<str>, u32)>,
    /// With the number of entries before each.
    pub(crate) acks: Vec<(usize, u64, EventData)>,
    pub(crate) volatile: Vec<Delivery>,
    /// Of the call's own socket, when nothing of the call needs the log.
    pub(crate) joins: Vec<(bool, router::Room)>,
    pub(crate) state: Option<bytes::Bytes>,
    pub(crate) state_version: Option<u32>,
    /// Of the append, see [`backplane::Backplane::append`].
    pub(crate) key: Option<String>,
}

/// `None` if the socket is gone. Takes the answers that the effects give from those that its events wait for.
pub(crate) fn sort(state: &mut State, key: SocketKey, effects: Vec<Effect>) -> Option<(Arc<str>, Sorted)> {
    let socket = state.sockets.get_mut(key)?;
    let app = socket.app.name.clone();
    let processed = state.lines.get(&app).map_or(0, |line| line.position().1);
    // Membership of the own socket goes through the log only if emits around it do: then it must keep its place.
    let logged = socket.barrier > processed || effects.iter().any(|effect| needs_log(socket, effect));
    let mut sorted = Sorted::default();
    for effect in effects {
        match effect {
            Effect::Ack { token, data } => {
                if socket.pending.take_answer(token.0) {
                    sorted.acks.push((sorted.entries.len(), token.0, data));
                }
            }
            Effect::SetState(bytes) => sorted.state = Some(bytes),
            Effect::StateVersion(version) => sorted.state_version = Some(version),
            Effect::Join { target, rooms } if !logged && is_own(socket, &target) => {
                sorted.joins.extend(rooms.into_iter().map(|room| (true, room)));
            }
            Effect::Leave { target, rooms } if !logged && is_own(socket, &target) => {
                sorted.joins.extend(rooms.into_iter().map(|room| (false, room)));
            }
            other => sorted.add_logged(&socket.namespace, other),
        }
    }
    Some((app, sorted))
}

impl Sorted {
    pub(crate) fn only_answers(&self) -> bool {
        self.entries.is_empty()
            && self.volatile.is_empty()
            && self.joins.is_empty()
            && self.state.is_none()
            && self.state_version.is_none()
    }

    /// `namespace` is that of the call's socket: emits to one socket do not name another.
    pub(crate) fn add_logged(&mut self, namespace: &Arc<str>, effect: Effect) {
        let (target, action) = match effect {
            Effect::Emit {
                target,
                data,
                volatile: true,
            } => {
                self.volatile.push(Delivery {
                    target,
                    action: Action::Emit(data),
                });
                return;
            }
            Effect::Emit {
                target,
                data,
                volatile: false,
            } => (target, Action::Emit(data)),
            Effect::Join { target, rooms } => (target, Action::Join(rooms)),
            Effect::Leave { target, rooms } => (target, Action::Leave(rooms)),
            Effect::Disconnect { target, close } => (target, Action::Disconnect { close }),
            Effect::EmitWithAck {
                socket,
                data,
                token,
                timeout_ms,
            } => {
                let target = Target {
                    namespace: namespace.clone(),
                    rooms: vec![socket],
                    except: Vec::new(),
                };
                (
                    target,
                    Action::EmitWithAck {
                        data,
                        token,
                        timeout_ms,
                    },
                )
            }
            Effect::EmitWithAcks {
                target,
                data,
                token,
                timeout_ms,
            } => {
                self.requests.push((self.entries.len(), token, timeout_ms));
                // Numbered when it is appended.
                let reply_to = ReplyTo {
                    incarnation: 0,
                    shard: 0,
                    request: 0,
                };
                (
                    target,
                    Action::EmitWithAcks {
                        data,
                        reply_to,
                        timeout_ms,
                    },
                )
            }
            // Only a call for a socket has an event to answer or a state to set.
            Effect::Ack { .. } | Effect::SetState(_) | Effect::StateVersion(_) => return,
        };
        self.entries.push(Delivery { target, action });
    }
}

fn needs_log(socket: &Socket, effect: &Effect) -> bool {
    match effect {
        Effect::Emit { volatile, .. } => !volatile,
        Effect::EmitWithAck { .. } | Effect::EmitWithAcks { .. } | Effect::Disconnect { .. } => true,
        Effect::Join { target, .. } | Effect::Leave { target, .. } => !is_own(socket, target),
        Effect::Ack { .. } | Effect::SetState(_) | Effect::StateVersion(_) => false,
    }
}

/// Whether a target is just this socket.
pub(crate) fn is_own(socket: &Socket, target: &Target) -> bool {
    target.namespace == socket.namespace
        && target.except.is_empty()
        && matches!(target.rooms.as_slice(), [room] if *room == socket.id)
}
