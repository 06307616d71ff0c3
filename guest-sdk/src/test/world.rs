use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use super::Received;
use crate::{
    Answer, Args, DisconnectReason, Error, Event, Handshake, Migration, Push, Refusal, RemoteSocket, Result,
    Socket,
};
use crate::{emit::Target, log::Level, timers::Timer};

/// A handler's functions.
#[derive(Clone, Copy)]
pub(super) struct Calls {
    pub(super) connect: fn(&Socket, &Handshake) -> Result<(), Refusal>,
    pub(super) event: fn(&Socket, Event) -> Result<()>,
    pub(super) disconnect: fn(&Socket, DisconnectReason) -> Result<()>,
    pub(super) ack: fn(&Socket, &str, Answer) -> Result<()>,
    pub(super) timer: fn(Timer) -> Result<()>,
    pub(super) push: fn(Push) -> Result<()>,
    pub(super) migrate: fn(&Socket, Migration) -> Result<Vec<u8>>,
}

/// What a host keeps of an app.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) sockets: BTreeMap<String, SocketRecord>,
    pub(crate) kv: BTreeMap<String, Vec<u8>>,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) timers: BTreeMap<String, (Duration, Vec<u8>)>,
    pub(crate) logs: Vec<(Level, String)>,
    /// The call that runs now.
    call: Option<Call>,
    sockets_made: usize,
}

#[derive(Default)]
pub(crate) struct SocketRecord {
    pub(crate) namespace: String,
    pub(crate) connected: bool,
    pub(crate) rooms: BTreeSet<String>,
    pub(crate) state: Vec<u8>,
    pub(crate) received: Vec<Received>,
    /// Tokens of events whose answers are outstanding.
    pub(crate) awaited: Vec<String>,
}

/// A call in progress: its effects happen if it ends well.
#[derive(Default)]
pub(crate) struct Call {
    /// Whom the call is for.
    pub(crate) socket: Option<String>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) open_ack: Option<u32>,
    pub(crate) answer: Option<Args>,
}

#[derive(Clone)]
pub(crate) enum Effect {
    Emit {
        target: Target,
        event: String,
        args: Args,
        volatile: bool,
    },
    EmitWithAck {
        socket: String,
        event: String,
        args: Args,
        token: String,
    },
    EmitWithAcks {
        /// Whose call it was.
        socket: String,
        target: Target,
        event: String,
        args: Args,
        token: String,
    },
    Join {
        target: Target,
        rooms: Vec<String>,
    },
    Leave {
        target: Target,
        rooms: Vec<String>,
    },
    Disconnect {
        target: Target,
    },
    SetState {
        socket: String,
        state: Vec<u8>,
    },
    SetTimer {
        name: String,
        delay: Duration,
        payload: Vec<u8>,
    },
    CancelTimer {
        name: String,
    },
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<RefCell<World>>>> = const { RefCell::new(None) };
}

/// Runs `code` with `world` as its host.
pub(super) fn enter<R>(world: &Rc<RefCell<World>>, code: impl FnOnce() -> R) -> R {
    let outer = CURRENT.replace(Some(world.clone()));
    let result = code();
    CURRENT.set(outer);
    result
}

/// Runs one call of a handler to its end, and answers what it answered to the client.
pub(super) fn call<E>(
    world: &Rc<RefCell<World>>,
    socket: Option<&str>,
    ack: Option<u32>,
    handler: impl FnOnce() -> Result<(), E>,
) -> Result<Option<Args>, E> {
    debug_assert!(socket.is_none_or(|socket| world.borrow().sockets.contains_key(socket)));
    let kv_before = world.borrow().kv.clone();
    world.borrow_mut().call = Some(Call {
        socket: socket.map(str::to_owned),
        open_ack: ack,
        ..Call::default()
    });
    let result = enter(world, handler);
    let mut world = world.borrow_mut();
    let call = world.call.take().unwrap_or_default();
    match result {
        Ok(()) => {
            call.effects.into_iter().for_each(|effect| world.apply(effect));
            Ok(call.answer)
        }
        Err(error) => {
            world.kv = kv_before;
            Err(error)
        }
    }
}

/// The host of the code that runs now.
///
/// # Panics
/// Outside of a handler: there is no host to ask.
pub(crate) fn with_world<R>(ask: impl FnOnce(&mut World) -> R) -> R {
    let world = CURRENT.with_borrow(Clone::clone);
    assert!(
        world.is_some(),
        "there is no host here: run the handler with wakeline_sdk::test::TestApp"
    );
    let mut answer = None;
    if let Some(world) = world {
        answer = Some(ask(&mut world.borrow_mut()));
    }
    answer.unwrap_or_else(|| unreachable!("asserted above"))
}

/// The call that runs now.
pub(crate) fn with_call<R>(ask: impl FnOnce(&mut Call) -> Result<R>) -> Result<R> {
    with_world(|world| match &mut world.call {
        Some(call) => ask(call),
        None => Err(Error::msg("effects are possible only in a handler's call")),
    })
}

impl World {
    pub(super) fn add_socket(&mut self, namespace: &str) -> String {
        self.sockets_made += 1;
        let id = format!("socket-{}", self.sockets_made);
        let record = SocketRecord {
            namespace: namespace.to_owned(),
            connected: true,
            rooms: BTreeSet::from([id.clone()]),
            ..SocketRecord::default()
        };
        self.sockets.insert(id.clone(), record);
        id
    }

    pub(crate) fn matching<'a>(
        &'a self,
        target: &'a Target,
    ) -> impl Iterator<Item = (&'a String, &'a SocketRecord)> + 'a {
        self.sockets.iter().filter(|(_, socket)| socket.matches(target))
    }

    /// The rooms as the call that runs now sees them.
    pub(crate) fn rooms_within_call(&self, id: &str) -> Option<Vec<String>> {
        let mut socket = SocketRecord {
            rooms: self.sockets.get(id)?.rooms.clone(),
            ..SocketRecord::default()
        };
        socket.namespace.clone_from(&self.sockets.get(id)?.namespace);
        socket.connected = true;
        for effect in self.call.iter().flat_map(|call| &call.effects) {
            match effect {
                Effect::Join { target, rooms } if socket.matches(target) => {
                    socket.rooms.extend(rooms.iter().cloned());
                }
                Effect::Leave { target, rooms } if socket.matches(target) => {
                    socket.rooms.retain(|room| !rooms.contains(room));
                }
                _ => {}
            }
        }
        Some(socket.rooms.into_iter().collect())
    }

    /// The state as the call that runs now sees it.
    pub(crate) fn state_within_call(&self, id: &str) -> Option<Vec<u8>> {
        let effects = self.call.iter().flat_map(|call| &call.effects);
        let set = effects.rev().find_map(|effect| match effect {
            Effect::SetState { socket, state } if socket == id => Some(state.clone()),
            _ => None,
        });
        set.or_else(|| self.sockets.get(id).map(|socket| socket.state.clone()))
    }

    fn each(&mut self, target: &Target, mut change: impl FnMut(&mut SocketRecord)) {
        self.sockets
            .values_mut()
            .filter(|socket| socket.matches(target))
            .for_each(&mut change);
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Emit {
                target,
                event: name,
                args,
                volatile,
            } => {
                let received = Received { name, args, volatile };
                self.each(&target, |socket| socket.received.push(received.clone()));
            }
            Effect::EmitWithAck {
                socket,
                event: name,
                args,
                token,
            } => {
                if let Some(socket) = self.sockets.get_mut(&socket) {
                    socket.received.push(Received {
                        name,
                        args,
                        volatile: false,
                    });
                    socket.awaited.push(token);
                }
            }
            Effect::EmitWithAcks {
                socket,
                target,
                event: name,
                args,
                token,
            } => {
                let volatile = false;
                let received = Received { name, args, volatile };
                self.each(&target, |socket| socket.received.push(received.clone()));
                if let Some(socket) = self.sockets.get_mut(&socket) {
                    socket.awaited.push(token);
                }
            }
            Effect::Join { target, rooms } => {
                self.each(&target, |socket| socket.rooms.extend(rooms.iter().cloned()));
            }
            Effect::Leave { target, rooms } => {
                self.each(&target, |socket| {
                    socket.rooms.retain(|room| !rooms.contains(room));
                });
            }
            Effect::Disconnect { target } => self.each(&target, |socket| socket.connected = false),
            Effect::SetState { socket, state } => {
                if let Some(socket) = self.sockets.get_mut(&socket) {
                    socket.state = state;
                }
            }
            Effect::SetTimer { name, delay, payload } => {
                self.timers.insert(name, (delay, payload));
            }
            Effect::CancelTimer { name } => {
                self.timers.remove(&name);
            }
        }
    }
}

impl SocketRecord {
    pub(crate) fn remote(&self, id: &str) -> RemoteSocket {
        RemoteSocket {
            id: id.to_owned(),
            rooms: self.rooms.iter().cloned().collect(),
            state: self.state.clone(),
        }
    }

    fn matches(&self, target: &Target) -> bool {
        let in_any = |rooms: &[String]| rooms.iter().any(|room| self.rooms.contains(room));
        self.connected
            && self.namespace == target.namespace
            && (target.rooms.is_empty() || in_any(&target.rooms))
            && !in_any(&target.except)
    }
}
