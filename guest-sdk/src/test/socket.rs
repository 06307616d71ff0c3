use std::{cell::RefCell, fmt, rc::Rc};

use serde::{Serialize, de::DeserializeOwned};

use super::world::{self, Calls, SocketRecord, World};
use crate::{
    Ack, Answer, Args, Collected, DisconnectReason, Error, Event, Handshake, IntoArgs, Migration, Refusal,
    Result, Socket,
};

/// A client of a [`TestApp`](super::TestApp). Dropping it does not disconnect it.
pub struct TestSocket {
    world: Rc<RefCell<World>>,
    calls: Calls,
    id: String,
    namespace: String,
}

impl TestSocket {
    pub(super) fn open(
        world: Rc<RefCell<World>>,
        calls: Calls,
        handshake: &Handshake,
    ) -> Result<Self, Refusal> {
        let namespace = handshake.namespace.clone();
        let id = world.borrow_mut().add_socket(&namespace);
        let socket = Self {
            world,
            calls,
            id,
            namespace,
        };
        let called = world::call(&socket.world, Some(&socket.id), None, || {
            (calls.connect)(&socket.view(), handshake)
        });
        match called {
            Ok(_) => Ok(socket),
            Err(refusal) => {
                socket.world.borrow_mut().sockets.remove(&socket.id);
                Err(refusal)
            }
        }
    }

    /// The socket's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The client emits an event and does not wait for an answer. The handler's error, if it returns one.
    pub fn emit(&self, event: &str, args: impl IntoArgs) -> Result<()> {
        self.event(event, args.into_args()?, None).map(|_| ())
    }

    /// The client emits an event and waits for an answer. An error if the handler gives none.
    pub fn emit_with_ack(&self, event: &str, args: impl IntoArgs) -> Result<Args> {
        let answer = self.event(event, args.into_args()?, Some(1))?;
        answer.ok_or_else(|| Error::msg(format_args!("the handler of \"{event}\" did not answer")))
    }

    /// What has reached the client since this was called last, in order.
    pub fn received(&self) -> Vec<Received> {
        self.with_record(|record| std::mem::take(&mut record.received))
            .unwrap_or_default()
    }

    /// The client answers an event that was sent with `emit_with_ack` and `token`.
    pub fn answer(&self, token: &str, args: impl IntoArgs) -> Result<()> {
        self.outcome(token, Answer::Arguments(args.into_args()?))
    }

    /// The client does not answer an event that was sent with `emit_with_ack` and `token`.
    pub fn time_out(&self, token: &str) -> Result<()> {
        self.outcome(token, Answer::TimedOut)
    }

    /// Clients answer an event that this one's handler sent with `emit_with_acks` and `token`; who else was asked did not.
    pub fn answer_all<A: IntoArgs + Clone>(&self, token: &str, answers: &[(&Self, A)]) -> Result<()> {
        let mut collected = Collected::default();
        for (client, args) in answers {
            collected
                .answers
                .push((client.id.clone(), args.clone().into_args()?));
        }
        self.outcome(token, Answer::Collected(collected))
    }

    /// The client leaves the namespace.
    pub fn disconnect(&self) -> Result<()> {
        self.disconnect_with(DisconnectReason::Client)
    }

    /// The client is gone for the reason given. The socket is removed even if the handler fails.
    pub fn disconnect_with(&self, reason: DisconnectReason) -> Result<()> {
        let called = world::call(&self.world, Some(&self.id), None, || {
            (self.calls.disconnect)(&self.view(), reason)
        });
        self.world.borrow_mut().sockets.remove(&self.id);
        called.map(|_| ())
    }

    /// Whether it is still in its namespace: a handler may have disconnected it.
    pub fn is_connected(&self) -> bool {
        self.with_record(|record| record.connected).unwrap_or(false)
    }

    /// Its rooms, in order of name, the one named by its id left out.
    pub fn rooms(&self) -> Vec<String> {
        let rooms = self
            .with_record(|record| record.rooms.clone())
            .unwrap_or_default();
        rooms.into_iter().filter(|room| *room != self.id).collect()
    }

    /// Its state, as [`Socket::state`] reads it.
    pub fn state<T: DeserializeOwned + Default>(&self) -> Result<T> {
        crate::socket::from_state(
            &self
                .with_record(|record| record.state.clone())
                .unwrap_or_default(),
        )
    }

    /// As if `from_version` of the app had kept `state` and another one took over: has the handler migrate it. If
    /// that fails, the state stays.
    pub fn migrate<T: Serialize + ?Sized>(&self, state: &T, from_version: u32) -> Result<()> {
        let state = serde_json::to_vec(state)?;
        self.with_record(|record| record.state.clone_from(&state));
        world::call(&self.world, Some(&self.id), None, || {
            let migrated = (self.calls.migrate)(&self.view(), Migration { state, from_version })?;
            crate::host::set_state(&self.id, &migrated)
        })
        .map(|_| ())
    }

    fn view(&self) -> Socket {
        Socket::with_namespace(self.id.clone(), self.namespace.clone())
    }

    fn event(&self, name: &str, args: Args, token: Option<u32>) -> Result<Option<Args>> {
        if !self.is_connected() {
            return Err(Error::msg("the client is not connected"));
        }
        let event = Event::new(name.to_owned(), args, Ack::new(token));
        world::call(&self.world, Some(&self.id), token, || {
            (self.calls.event)(&self.view(), event)
        })
    }

    fn outcome(&self, token: &str, answer: Answer) -> Result<()> {
        let waiting = self.with_record(|record| {
            let index = record.awaited.iter().position(|awaited| awaited == token)?;
            Some(record.awaited.remove(index))
        });
        waiting.flatten().ok_or(Error::NotFound)?;
        world::call(&self.world, Some(&self.id), None, || {
            (self.calls.ack)(&self.view(), token, answer)
        })
        .map(|_| ())
    }

    fn with_record<R>(&self, read: impl FnOnce(&mut SocketRecord) -> R) -> Option<R> {
        self.world.borrow_mut().sockets.get_mut(&self.id).map(read)
    }
}

/// An event that reached a client. Compares with `("name", json!([arguments]))`.
#[derive(Clone, PartialEq)]
pub struct Received {
    /// The event's name.
    pub name: String,
    /// Its arguments.
    pub args: Args,
    /// Whether it might have been lost.
    pub volatile: bool,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "({:?}, json!({:?})){}",
            self.name,
            self.args,
            if self.volatile { " volatile" } else { "" }
        )
    }
}

impl PartialEq<(&str, serde_json::Value)> for Received {
    fn eq(&self, (name, args): &(&str, serde_json::Value)) -> bool {
        self.name == *name && self.args == *args
    }
}
