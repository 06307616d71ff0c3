//! Answers every message with itself, for clients that do not speak Socket.IO.
use wakeline_sdk::prelude::*;

struct Echo;

#[wakeline_sdk::handler]
impl Echo {
    /// A message of a plain WebSocket or a bare Engine.IO client: text stays text, binary stays binary, and
    /// nothing is parsed on the way.
    #[on("message")]
    fn message(socket: &Socket, event: Event) -> Result<()> {
        socket.emit("message", event.into_args())
    }
}

#[cfg(test)]
mod tests;
