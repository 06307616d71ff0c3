//! The app that the official test suites of Engine.IO and Socket.IO talk to.
use wakeline_sdk::prelude::*;

struct Conformance;

#[wakeline_sdk::handler]
impl Conformance {
    #[connect]
    fn connect(socket: &Socket, handshake: &Handshake) -> Result<()> {
        if socket.is_raw() {
            return Ok(());
        }
        let auth: Value = handshake.auth()?;
        socket.emit("auth", auth)
    }

    /// The Engine.IO suite wants its messages back, the Socket.IO suite an event with the same arguments.
    #[on("message")]
    fn message(socket: &Socket, event: Event) -> Result<()> {
        let name = if socket.is_raw() {
            "message"
        } else {
            "message-back"
        };
        socket.emit(name, event.into_args())
    }

    #[on("message-with-ack")]
    fn message_with_ack(event: Event, ack: Ack) -> Result<()> {
        ack.send(event.into_args())
    }
}

#[cfg(test)]
mod tests;
