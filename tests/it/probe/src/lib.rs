//! What the examples leave undone, so that tests can ask for it: each event does one thing to sockets.
use std::time::Duration;

use wakeline_sdk::{config, kv, prelude::*, timers};

struct Probe;

#[wakeline_sdk::handler]
impl Probe {
    /// `{"bad": 1}` is refused with data, `{"rude": 1}` without.
    #[connect]
    fn connect(socket: &Socket, handshake: &Handshake) -> Result<(), Refusal> {
        let auth: Value = handshake.auth()?;
        if !auth["bad"].is_null() {
            return Err(Refusal::new("not authorized").with_data(&json!({ "code": 42 })));
        }
        if !auth["rude"].is_null() {
            return Err(Refusal::unauthorised("go away"));
        }
        if let Some(room) = auth["room"].as_str() {
            socket.join(room)?;
        }
        if let Some(claims) = handshake.claims::<Value>()? {
            socket.emit("claims", &claims)?;
        }
        // Arrives after the CONNECT packet, although it is emitted before the call that accepts has ended.
        socket.emit("welcome", handshake.query("name").unwrap_or_default())?;
        Ok(())
    }

    #[on("echo")]
    fn echo(event: Event, ack: Ack) -> Result<()> {
        ack.send(event.into_args())
    }

    #[on("join")]
    fn join(socket: &Socket, room: String, ack: Ack) -> Result<()> {
        socket.join(room)?;
        ack.send(())
    }

    /// To the others of a room.
    #[on("shout")]
    fn shout(socket: &Socket, room: String, value: Value) -> Result<()> {
        socket.to(room).emit("msg", &value)
    }

    /// To everyone but a room.
    #[on("except")]
    fn except(room: String, value: Value) -> Result<()> {
        io().except(room).emit("msg", &value)
    }

    /// To the whole room, as what may be lost.
    #[on("maybe")]
    fn maybe(room: String, value: Value) -> Result<()> {
        io().to(room).volatile().emit("msg", &value)
    }

    #[on("say")]
    fn say(room: String, value: Value) -> Result<()> {
        io().to(room).emit("msg", &value)
    }

    /// The same, and says that it was accepted.
    #[on("tell")]
    fn tell(room: String, value: Value, ack: Ack) -> Result<()> {
        io().to(room).emit("msg", &value)?;
        ack.send(())
    }

    #[on("set")]
    fn set(socket: &Socket, value: Value, ack: Ack) -> Result<()> {
        socket.set_state(&value)?;
        ack.send(())
    }

    #[on("whoami")]
    fn whoami(socket: &Socket) -> Result<Value> {
        let state: Value = socket.state()?;
        Ok(json!({ "sid": socket.id(), "rooms": socket.rooms()?, "state": state }))
    }

    /// Which version answers, by what the manifest of each says, and how many such events this socket has sent. A version
    /// with a `TRAP` crashes.
    #[on("version")]
    fn version(socket: &Socket) -> Result<Value> {
        assert!(config::get("TRAP")?.is_none(), "this version is broken");
        let count: u32 = socket.state().unwrap_or_default();
        socket.set_state(&(count + 1))?;
        let label = config::get("LABEL")?.unwrap_or_default();
        Ok(json!([label, count + 1]))
    }

    /// Asks the client something and tells it what it answered.
    #[on("ask")]
    fn ask(socket: &Socket, question: Value, timeout_ms: u32) -> Result<()> {
        socket.emit_with_ack(
            "question",
            &question,
            "asked",
            Duration::from_millis(u64::from(timeout_ms)),
        )
    }

    #[on_ack("asked")]
    fn asked(socket: &Socket, answer: Answer) -> Result<()> {
        match answer.args::<(Value,)>()? {
            Some((value,)) => socket.emit("answered", &value),
            None => socket.emit("unanswered", ()),
        }
    }

    #[on("later")]
    fn later(value: Value, delay_ms: u32) -> Result<()> {
        timers::set("later", Duration::from_millis(u64::from(delay_ms)), &value)
    }

    #[timer("later")]
    fn run_later(timer: timers::Timer) -> Result<()> {
        let value: Value = timer.payload()?;
        io().emit("later", &value)
    }

    #[on("members")]
    fn members(room: String) -> Result<Vec<String>> {
        Ok(io()
            .to(room)
            .fetch_sockets()?
            .sockets
            .iter()
            .map(|socket| socket.id().to_owned())
            .collect())
    }

    /// Who is in a room, and how many nodes did not say.
    #[on("who")]
    fn who(room: String) -> Result<Value> {
        let found = io().to(room).fetch_sockets()?;
        let ids: Vec<&str> = found.sockets.iter().map(|socket| socket.id()).collect();
        Ok(json!({ "ids": ids, "missing": found.missing_nodes }))
    }

    /// Asks everyone in a room something and tells the client what they answered.
    #[on("ask all")]
    fn ask_all(room: String, question: Value, timeout_ms: u32) -> Result<()> {
        let timeout = Duration::from_millis(u64::from(timeout_ms));
        io().to(room)
            .emit_with_acks("question", &question, "all", timeout)
    }

    #[on_ack("all")]
    fn all_answered(socket: &Socket, answer: Answer) -> Result<()> {
        let found = answer.collected().unwrap_or_default();
        let mut answers: Vec<i64> = found.args().map(|(_, (number,))| number).collect();
        answers.sort_unstable();
        let (missing, nodes) = (found.missing.len(), found.missing_nodes.len());
        let report = json!({ "answers": answers, "missing": missing, "missing_nodes": nodes });
        socket.emit("all answered", &report)
    }

    /// Disconnects a socket, wherever it is.
    #[on("kick")]
    fn kick(id: String, ack: Ack) -> Result<()> {
        io().to(id).disconnect()?;
        ack.send(())
    }

    /// Moves everyone from one room to another.
    #[on("move")]
    fn move_all(from: String, to: String, ack: Ack) -> Result<()> {
        io().to(&from).join(to)?;
        io().to(&from).leave(from)?;
        ack.send(())
    }

    #[on("leave us")]
    fn leave_us(socket: &Socket) -> Result<()> {
        socket.disconnect()
    }

    #[on("hang up")]
    fn hang_up(socket: &Socket) -> Result<()> {
        socket.close()
    }

    #[on("pushes")]
    fn pushes() -> Result<u64> {
        Ok(kv::get("pushes")?.unwrap_or_default())
    }

    #[on("count")]
    fn count() -> Result<u64> {
        Ok(kv::increment("count", 1)?)
    }

    #[on("log")]
    fn log(socket: &Socket, text: String, ack: Ack) -> Result<()> {
        info!("{} says {text}", socket.id());
        ack.send(())
    }

    /// From a backend: to everyone, and counted.
    #[push("news")]
    fn news(value: Value) -> Result<()> {
        kv::increment("pushes", 1)?;
        io().emit("msg", &value)
    }

    #[push]
    fn pushed(push: Push) -> Result<()> {
        kv::increment("pushes", 1)?;
        match push.topic() {
            "bad" => Err("bad news are not told".into()),
            "worse" => panic!("too much of it"),
            _ => io().emit("msg", push.bytes().len()),
        }
    }

    /// Emits and counts, then fails: none of it may happen.
    #[on("regret")]
    fn regret(socket: &Socket) -> Result<()> {
        socket.join("regrets")?;
        socket.emit("msg", "never heard")?;
        kv::increment("count", 100)?;
        Err("changed my mind".into())
    }

    #[on("flood")]
    fn flood(socket: &Socket, count: u32) -> Result<()> {
        for number in 0..count {
            socket.emit("msg", number)?;
        }
        Ok(())
    }

    #[disconnect]
    fn disconnect(socket: &Socket, reason: DisconnectReason) -> Result<()> {
        io().to("mourners")
            .emit("gone", (socket.id(), format!("{reason:?}")))
    }
}
