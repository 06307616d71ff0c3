use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use router::{AckOutcome, Call, CallKind, Effect, Failure, Handshake, Limit};
use socketio::EventData;
use wasmtime::{
    PoolConcurrencyLimitError, Store,
    component::{ComponentNamedList, Lift, Lower, TypedFunc},
};

use crate::{
    Component, Limits,
    bindings::{
        ArgumentsArg, CollectedArg, Error, EventArg, HandshakeArg, OutcomeArg, ReasonArg, Refusal, SocketArg,
    },
    component::Functions,
    failure,
    fair::Seat,
    host::{Commit, Host},
    imports::check_state,
    pace::{Pace, within},
    state::{State, on_tick},
};

/// One instantiated component, with memory of its own. Runs one call at a time.
pub(crate) struct Instance {
    guest: Guest,
    pace: Arc<Pace>,
    /// Calls it has run.
    pub(crate) calls: u32,
    /// When [`crate::Worker::reap`] first saw it idle; cleared by a call.
    pub(crate) idle_since: Option<Instant>,
}

/// How a call failed, and whether the instance may run another.
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    pub(crate) spent: bool,
}

/// Why there is no instance.
pub(crate) enum NotStarted {
    /// The engine has no room: some other instance must go first.
    PoolFull(Failure),
    Failed(Failure),
}

#[expect(clippy::type_complexity, reason = "the handlers are spelled as in the WIT")]
struct Guest {
    store: Store<State>,
    instance: wasmtime::component::Instance,
    functions: Functions,
    // Typed at first use: checking a type costs more than a call.
    connect: Option<Handler<(SocketArg, HandshakeArg), Refusal>>,
    event: Option<Handler<(SocketArg, EventArg, Option<u32>), Error>>,
    disconnect: Option<Handler<(SocketArg, ReasonArg), Error>>,
    ack: Option<Handler<(SocketArg, Arc<str>, OutcomeArg), Error>>,
    timer: Option<Handler<(String, String, Vec<u8>), Error>>,
    push: Option<Handler<(String, Vec<u8>), Error>>,
    migrate: Option<TypedFunc<(SocketArg, Vec<u8>, u32), (Result<Vec<u8>, Error>,)>>,
}

/// An exported function, `func(P) -> result<_, E>`.
type Handler<P, E> = TypedFunc<P, (Result<(), E>,)>;

impl Instance {
    /// Instantiates. A guest's start code runs under the limits of a call.
    pub(crate) async fn start(
        component: &Component,
        host: Arc<dyn Host>,
        limits: &Arc<Limits>,
        seat: &Arc<Seat>,
    ) -> Result<Self, NotStarted> {
        let engine = component.engine();
        let clock = Arc::clone(engine.clock());
        let pace = Arc::new(Pace::new(clock, Arc::clone(seat), limits.cpu_ms_per_second));
        let state = State::new(
            host,
            Arc::clone(limits),
            component.exports(),
            Arc::clone(&pace),
            Arc::clone(seat),
        );
        let mut store = Store::new(engine.wasm(), state);
        store.limiter(|state| &mut state.memory);
        store.epoch_deadline_callback(on_tick);
        store.set_epoch_deadline(1);
        store.set_hostcall_fuel(limits.host_bytes_per_call);
        // Pinned first: what takes a future by value holds it twice.
        let made = {
            let making = pin!(component.pre().instantiate_async(&mut store));
            within(&pace, wall(limits), making).await
        };
        let state = store.data_mut();
        let stderr = state.finish_lines();
        let instance = match made {
            Some(Ok(instance)) => instance,
            Some(Err(error)) => {
                let failure = failure::of_start(&error, state.memory.denied, &stderr, limits);
                return Err(if error.is::<PoolConcurrencyLimitError>() {
                    NotStarted::PoolFull(failure)
                } else {
                    NotStarted::Failed(failure)
                });
            }
            None => return Err(NotStarted::Failed(late(limits, seat))),
        };
        let guest = Guest {
            store,
            instance,
            functions: component.functions(),
            connect: None,
            event: None,
            disconnect: None,
            ack: None,
            timer: None,
            push: None,
            migrate: None,
        };
        Ok(Self {
            guest,
            pace,
            calls: 0,
            idle_since: None,
        })
    }

    /// Runs one call: its effects, and what has to be stored before they happen. `call` is as it was afterwards.
    pub(crate) async fn run(&mut self, call: &mut Call) -> Result<(Vec<Effect>, Commit), Failed> {
        self.calls += 1;
        self.idle_since = None;
        let socket = call.socket.as_ref().map(|socket| SocketArg {
            id: Arc::clone(&socket.id),
            namespace: Arc::clone(&socket.namespace),
        });
        let state = self.guest.store.data_mut();
        let limits = Arc::clone(&state.limits);
        state.begin(call.socket.take(), call.trace);
        self.guest.store.set_epoch_deadline(1);
        let ended = {
            let handling = pin!(self.guest.handle(socket, &call.kind));
            within(&self.pace, wall(&limits), handling).await
        };

        let state = self.guest.store.data_mut();
        let stderr = state.finish_lines();
        let (ended, spent) = match ended {
            Some(Ok(ended)) => (ended, false),
            Some(Err(trap)) => {
                let failure = failure::of_trap(&trap, state.memory.denied, &stderr, &limits);
                (Err(failure), true)
            }
            None => (Err(late(&limits, &state.seat)), true),
        };
        let hit = match &ended {
            Err(Failure::Limit(text)) => text.as_str(),
            _ => "",
        };
        let (socket, effects, commit) = state.transaction.finish(hit);
        call.socket = socket;
        match ended {
            Ok(()) => Ok((effects, commit)),
            Err(failure) => Err(Failed { failure, spent }),
        }
    }
}

/// Outer: traps and our own errors, after which the instance is spent. Inner: what the handler returned.
type Handled = wasmtime::Result<Result<(), Failure>>;

impl Guest {
    async fn handle(&mut self, socket: Option<SocketArg>, kind: &CallKind) -> Handled {
        match (socket, kind) {
            (Some(socket), CallKind::Event { data, ack }) => {
                let token = ack.map(|ack| self.store.data_mut().transaction.owe(ack));
                let function = self.typed(self.functions.event, |guest| &mut guest.event)?;
                let (result,) = function
                    .call_async(&mut self.store, (socket, event(data), token))
                    .await?;
                Ok(result.map_err(failure::of_error))
            }
            // Boxed: the future of an event is made for every event, and is no larger than an event needs.
            (socket, kind) => Box::pin(self.handle_other(socket, kind)).await,
        }
    }

    async fn handle_other(&mut self, socket: Option<SocketArg>, kind: &CallKind) -> Handled {
        let Some(socket) = socket else {
            return match kind {
                CallKind::Timer { name, id, payload } => {
                    self.timer(name.clone(), id.clone(), payload.to_vec()).await
                }
                CallKind::Push { topic, payload } => self.push(topic.clone(), payload.to_vec()).await,
                _ => Ok(Err(Failure::Unavailable(
                    "a call of this kind needs a socket".to_owned(),
                ))),
            };
        };
        match kind {
            CallKind::Event { .. } => unreachable!("handled by the caller"),
            CallKind::Connect(handshake) => self.connect(socket, handshake).await,
            CallKind::Disconnect(reason) => {
                let function = self.typed(self.functions.disconnect, |guest| &mut guest.disconnect)?;
                let (result,) = function
                    .call_async(&mut self.store, (socket, (*reason).into()))
                    .await?;
                Ok(result.map_err(failure::of_error))
            }
            CallKind::Ack { token, outcome } => {
                let Some(index) = self.functions.ack else {
                    return Ok(Err(missing("acks-handler")));
                };
                let function = self.typed(index, |guest| &mut guest.ack)?;
                let arguments = (socket, Arc::clone(token), outcome_arg(outcome));
                let (result,) = function.call_async(&mut self.store, arguments).await?;
                Ok(result.map_err(failure::of_error))
            }
            CallKind::Timer { name, id, payload } => {
                self.timer(name.clone(), id.clone(), payload.to_vec()).await
            }
            CallKind::Push { topic, payload } => self.push(topic.clone(), payload.to_vec()).await,
            CallKind::Migrate { state, from_version } => {
                self.migrate(socket, state.to_vec(), *from_version).await
            }
        }
    }

    async fn connect(&mut self, socket: SocketArg, handshake: &Handshake) -> Handled {
        let argument = HandshakeArg {
            auth: handshake.auth.clone(),
            query: Arc::clone(&handshake.query),
            headers: Arc::clone(&handshake.headers),
            remote_address: handshake.remote_address.clone(),
            claims: handshake.claims.clone(),
        };
        let function = self.typed(self.functions.connect, |guest| &mut guest.connect)?;
        let (result,) = function.call_async(&mut self.store, (socket, argument)).await?;
        Ok(result.map_err(failure::of_refusal))
    }

    async fn timer(&mut self, name: String, id: String, payload: Vec<u8>) -> Handled {
        let Some(index) = self.functions.timer else {
            return Ok(Err(missing("timers-handler")));
        };
        let function = self.typed(index, |guest| &mut guest.timer)?;
        let (result,) = function.call_async(&mut self.store, (name, id, payload)).await?;
        Ok(result.map_err(failure::of_error))
    }

    async fn push(&mut self, topic: String, payload: Vec<u8>) -> Handled {
        let Some(index) = self.functions.push else {
            return Ok(Err(missing("push-handler")));
        };
        let function = self.typed(index, |guest| &mut guest.push)?;
        let (result,) = function.call_async(&mut self.store, (topic, payload)).await?;
        Ok(result.map_err(failure::of_error))
    }

    /// What the guest answers becomes the last effect: it stands in for whatever the call has set.
    async fn migrate(&mut self, socket: SocketArg, state: Vec<u8>, from_version: u32) -> Handled {
        let Some(index) = self.functions.migrate else {
            return Ok(Ok(()));
        };
        let function = self.typed(index, |guest| &mut guest.migrate)?;
        let arguments = (socket, state, from_version);
        let (result,) = function.call_async(&mut self.store, arguments).await?;
        let state = match result {
            Ok(state) => state,
            Err(error) => return Ok(Err(failure::of_error(error))),
        };
        if let Err(text) = check_state(&state) {
            return Ok(Err(Failure::Returned(format!("limit exceeded: {text}"))));
        }
        self.store
            .data_mut()
            .transaction
            .push(Effect::SetState(state.into()));
        Ok(Ok(()))
    }

    fn typed<P, R>(
        &mut self,
        index: wasmtime::component::ComponentExportIndex,
        slot: impl Fn(&mut Self) -> &mut Option<TypedFunc<P, R>>,
    ) -> wasmtime::Result<TypedFunc<P, R>>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        if let Some(function) = slot(self) {
            return Ok(*function);
        }
        let function = self.instance.get_typed_func::<P, R>(&mut self.store, index)?;
        *slot(self) = Some(function);
        Ok(function)
    }
}

/// The failure of a call whose time is over: by its own doing, or since the app had used up its share.
pub(crate) fn late(limits: &Limits, seat: &Seat) -> Failure {
    let wall = Limit::WallMsPerCall.describe(limits.wall_ms_per_call);
    if seat.is_starved() {
        let share = Limit::CpuMsPerSecond.describe(limits.cpu_ms_per_second);
        return Failure::Limit(format!(
            "{share}: the app has used more, and this call waited as long as it may ({wall})"
        ));
    }
    Failure::Limit(wall)
}

pub(crate) fn wall(limits: &Limits) -> Duration {
    Duration::from_millis(limits.wall_ms_per_call.into())
}

fn missing(interface: &str) -> Failure {
    Failure::Returned(format!(
        "the component does not export wakeline:app/{interface}@0.1.0"
    ))
}

fn event(data: &EventData) -> EventArg {
    let (name, args) = data.split();
    EventArg {
        name,
        args,
        attachments: attachments(data),
    }
}

fn outcome_arg(outcome: &AckOutcome) -> OutcomeArg {
    match outcome {
        AckOutcome::Answered(data) => OutcomeArg::Answered(arguments(data)),
        AckOutcome::TimedOut => OutcomeArg::TimedOut,
        AckOutcome::Collected(found) => OutcomeArg::Collected(CollectedArg {
            answers: found
                .answers
                .iter()
                .map(|(id, data)| (id.clone(), arguments(data)))
                .collect(),
            missing: found.missing.clone(),
            partial: found.partial.clone(),
        }),
    }
}

fn arguments(data: &EventData) -> ArgumentsArg {
    ArgumentsArg {
        args: data.array(),
        attachments: attachments(data),
    }
}

fn attachments(data: &EventData) -> Vec<Vec<u8>> {
    data.attachments().iter().map(|bytes| bytes.to_vec()).collect()
}
