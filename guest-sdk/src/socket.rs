use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Emitter, IntoArgs, IntoRooms, Io, Result, host, io};

/// The client that a call is for: one namespace joined on one connection. Stays the same when it recovers.
#[derive(Debug)]
pub struct Socket {
    id: String,
    namespace: String,
}

impl Socket {
    pub(crate) fn with_namespace(id: String, namespace: String) -> Self {
        Self { id, namespace }
    }

    /// The public Socket.IO id, `socket.id` at the client. Not secret, not guessable.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The namespace that it joined, "/" for the default one.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whether the client is a plain WebSocket or a bare Engine.IO client (manifest `[raw]`). Its messages are
    /// events named "message": a text is one string, a binary message one [`Bytes`](crate::Bytes). Emitting
    /// "message" with one string sends it as text, a `Bytes` as binary, anything else as its JSON text.
    pub fn is_raw(&self) -> bool {
        self.namespace().starts_with("raw:")
    }

    /// Sends an event to this client.
    pub fn emit(&self, event: &str, args: impl IntoArgs) -> Result<()> {
        self.emitter().to(&self.id).emit(event, args)
    }

    /// Sends an event to this client unless it cannot take it right now.
    pub fn emit_volatile(&self, event: &str, args: impl IntoArgs) -> Result<()> {
        self.emitter().to(&self.id).volatile().emit(event, args)
    }

    /// Sends an event to this client and has its answer, or its absence after `timeout`, given to the function
    /// with `#[on_ack("token")]` ([`Handler::ack`](crate::Handler::ack)). The answer comes in another call, so
    /// what must be known then belongs into the token (at most 256 bytes) or the socket's state.
    ///
    /// ```
    /// use wakeline_sdk::prelude::*;
    /// use std::time::Duration;
    ///
    /// struct Quiz;
    ///
    /// #[wakeline_sdk::handler]
    /// impl Quiz {
    ///     #[connect]
    ///     fn ask(socket: &Socket) -> Result<()> {
    ///         socket.emit_with_ack("question", "6 × 7?", "answer", Duration::from_secs(10))
    ///     }
    ///
    ///     #[on_ack("answer")]
    ///     fn check(socket: &Socket, answer: Answer) -> Result<()> {
    ///         match answer.args::<(u32,)>()? {
    ///             Some((42,)) => socket.emit("right", ()),
    ///             Some(_) => socket.emit("wrong", ()),
    ///             None => socket.emit("too late", ()),
    ///         }
    ///     }
    /// }
    ///
    /// let app = wakeline_sdk::test::TestApp::new::<Quiz>();
    /// let client = app.connect("/")?;
    /// client.answer("answer", 42)?;
    /// assert_eq!(client.received(), [("question", json!(["6 × 7?"])), ("right", json!([]))]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn emit_with_ack(
        &self,
        event: &str,
        args: impl IntoArgs,
        token: &str,
        timeout: Duration,
    ) -> Result<()> {
        host::emit_with_ack(&self.id, event, args.into_args()?, token, timeout)
    }

    /// The others in a room (or in any of several rooms): this client is left out. `io().to(room)` includes it.
    pub fn to(&self, rooms: impl IntoRooms) -> Emitter {
        self.broadcast().to(rooms)
    }

    /// The others in the namespace that are in none of `rooms`.
    pub fn except(&self, rooms: impl IntoRooms) -> Emitter {
        self.broadcast().except(rooms)
    }

    /// All others in the namespace.
    pub fn broadcast(&self) -> Emitter {
        self.emitter().except(&self.id)
    }

    /// The namespace that this socket is in, this socket included.
    pub fn nsp(&self) -> Io {
        io().of(self.namespace())
    }

    /// Joins a room or several: names of 1 to 256 bytes. Joining twice does nothing.
    pub fn join(&self, rooms: impl IntoRooms) -> Result<()> {
        self.emitter().to(&self.id).join(rooms)
    }

    /// Leaves a room or several. Leaving a room that it is not in does nothing.
    pub fn leave(&self, rooms: impl IntoRooms) -> Result<()> {
        self.emitter().to(&self.id).leave(rooms)
    }

    /// Its rooms, the one named by its id included. Joins and leaves of this call are applied already.
    pub fn rooms(&self) -> Result<Vec<String>> {
        host::rooms_of(&self.id)
    }

    /// Disconnects it from the namespace. The client does not come back by itself.
    pub fn disconnect(&self) -> Result<()> {
        self.emitter().to(&self.id).disconnect()
    }

    /// Closes its whole connection, with all namespaces that it joined.
    pub fn close(&self) -> Result<()> {
        self.emitter().to(&self.id).close()
    }

    /// What [`set_state`](Self::set_state) kept of this socket, `T::default()` before that.
    ///
    /// This, and not a `static`, is the place for what a handler knows of a client: it survives sleep, deploys,
    /// reconnects of the client and the loss of a node. Others see it with [`Emitter::fetch_sockets`].
    ///
    /// ```
    /// use wakeline_sdk::prelude::*;
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct User { name: String, said: u32 }
    ///
    /// fn say(socket: &Socket, text: String) -> Result<()> {
    ///     let mut user: User = socket.state()?;
    ///     user.said += 1;
    ///     socket.set_state(&user)?;
    ///     socket.broadcast().emit("say", (&user.name, text))
    /// }
    /// ```
    pub fn state<T: DeserializeOwned + Default>(&self) -> Result<T> {
        from_state(&host::get_state(&self.id)?)
    }

    /// Keeps `state` as JSON. At most 16 KiB.
    pub fn set_state<T: Serialize + ?Sized>(&self, state: &T) -> Result<()> {
        host::set_state(&self.id, &serde_json::to_vec(state)?)
    }

    /// Reads the state, has it changed, and keeps it. Answers what `change` does.
    pub fn update_state<T, R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        let mut state = self.state()?;
        let result = change(&mut state);
        self.set_state(&state)?;
        Ok(result)
    }

    fn emitter(&self) -> Emitter {
        Emitter::new(self.namespace.clone())
    }
}

pub(crate) fn from_state<T: DeserializeOwned + Default>(state: &[u8]) -> Result<T> {
    if state.is_empty() {
        Ok(T::default())
    } else {
        Ok(serde_json::from_slice(state)?)
    }
}
