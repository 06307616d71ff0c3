//! The small handler that measurements use. On the paths that are measured nothing is parsed that can be passed on.
use std::time::{Duration, Instant};

use wakeline_sdk::prelude::*;

struct Bench;

#[wakeline_sdk::handler]
impl Bench {
    /// Answers what it was given, JSON or binary, unparsed.
    #[on("echo")]
    fn echo(event: Event, ack: Ack) -> Result<()> {
        ack.send(event.into_args())
    }

    #[on("join")]
    fn join(socket: &Socket, room: &str, ack: Ack) -> Result<()> {
        socket.join(room)?;
        ack.send(())
    }

    #[on("leave")]
    fn leave(socket: &Socket, room: &str, ack: Ack) -> Result<()> {
        socket.leave(room)?;
        ack.send(())
    }

    /// `say(room, p)`: everyone in the room gets `msg(p)`, the speaker included if it is in it.
    #[on("say")]
    fn say(event: Event) -> Result<()> {
        let room: String = event.arg(0)?;
        io().to(room).emit("msg", event.into_args().without_first(1)?)
    }

    /// `recovered` is always false: a socket that recovers is the same socket, and its handler is not told.
    /// That `#[connect]` did not run again shows in `state`, which is still there.
    #[on("whoami")]
    fn whoami(socket: &Socket) -> Result<Value> {
        let state: Value = socket.state()?;
        Ok(json!({ "sid": socket.id(), "rooms": socket.rooms()?, "state": state, "recovered": false }))
    }

    #[on("set")]
    fn set(socket: &Socket, value: Value, ack: Ack) -> Result<()> {
        socket.set_state(&value)?;
        ack.send(())
    }

    /// Burns `ms` milliseconds of CPU.
    #[on("spin")]
    fn spin(ms: u64, ack: Ack) -> Result<()> {
        let end = Instant::now() + Duration::from_millis(ms);
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        ack.send(())
    }

    #[on("trap")]
    fn trap() -> Result<()> {
        panic!("asked to trap")
    }
}

#[cfg(test)]
mod tests;
