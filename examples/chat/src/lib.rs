//! A chat: rooms, names, who is here, who is typing, pictures, and what was said before.
use std::time::{SystemTime, UNIX_EPOCH};

use wakeline_sdk::{kv, prelude::*};

struct Chat;

/// What we know of a client: the state of its socket.
#[derive(Default, Serialize, Deserialize)]
struct User {
    id: String,
    name: String,
    away: bool,
}

#[derive(Serialize, Deserialize)]
struct Message {
    /// Counts up in each room.
    id: u64,
    room: String,
    from: String,
    name: String,
    /// Milliseconds since 1970.
    at: u64,
    text: String,
    has_image: bool,
}

/// Messages of a room that are kept.
const HISTORY: u64 = 50;

#[wakeline_sdk::handler]
impl Chat {
    /// Joins a room, besides those joined before.
    #[on("join")]
    fn join(socket: &Socket, name: String, room: String, ack: Ack) -> Result<()> {
        let name = within("name", &name, 32)?;
        let user = User {
            id: socket.id().to_owned(),
            name,
            away: false,
        };
        let room = within("room", &room, 64)?;
        socket.set_state(&user)?;
        socket.join(channel(&room))?;
        socket.to(channel(&room)).emit("joined", (&room, &user))?;
        ack.send(())
    }

    /// Who is in a room, and what was said. Asked after `join`, in a call of its own: by then the socket is in the
    /// room, so that whoever joins or speaks meanwhile is in this answer, or told by an event, or both.
    #[on("room")]
    fn room(room: String) -> Result<(Vec<User>, Vec<Message>)> {
        let sockets = io().to(channel(&room)).fetch_sockets()?;
        let members = sockets.into_iter().map(|socket| socket.state()).collect::<Result<_>>()?;
        Ok((members, history(&room)?))
    }

    #[on("leave")]
    fn leave(socket: &Socket, room: String) -> Result<()> {
        socket.leave(channel(&room))?;
        socket.to(channel(&room)).emit("left", (&room, socket.id()))
    }

    /// Sends a text, a picture or both to the others in a room. The ack is the message as the others see it.
    #[on("say")]
    fn say(socket: &Socket, room: String, text: String, image: Option<Bytes>) -> Result<Message> {
        if !socket.rooms()?.contains(&channel(&room)) {
            return Err("join the room first".into());
        }
        let user: User = socket.state()?;
        let id = kv::increment(&format!("count:{room}"), 1)?;
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis());
        let message = Message {
            id,
            from: socket.id().to_owned(),
            name: user.name,
            at: u64::try_from(at)?,
            text: text.chars().take(2000).collect(),
            has_image: image.is_some(),
            room,
        };
        // A ring of slots: rooms stay bounded, and two speakers at the same time do not overwrite one another.
        kv::set(&slot("message", &message.room, id), &message)?;
        if let Some(image) = &image {
            kv::set_bytes(&slot("image", &message.room, id), image)?;
        }
        socket.to(channel(&message.room)).emit("message", (&message, image))?;
        Ok(message)
    }

    /// The picture of a message in the history.
    #[on("image")]
    fn image(room: String, id: u64) -> Result<Option<Bytes>> {
        Ok(kv::get_bytes(&slot("image", &room, id))?.map(Bytes::from))
    }

    /// Worth nothing a second later: a client that cannot take it now never gets it.
    #[on("typing")]
    fn typing(socket: &Socket, room: String) -> Result<()> {
        socket.to(channel(&room)).volatile().emit("typing", (&room, socket.id()))
    }

    #[on("away")]
    fn away(socket: &Socket, away: bool) -> Result<()> {
        socket.update_state(|user: &mut User| user.away = away)?;
        socket.to(socket.rooms()?).emit("away", (socket.id(), away))
    }

    /// Not called for a client that lost its connection and came back: that one never left.
    #[disconnect]
    fn disconnect(socket: &Socket) -> Result<()> {
        socket.to(socket.rooms()?).emit("gone", socket.id())
    }
}

/// Rooms carry a prefix, lest somebody joins another's id, which is a room as well.
fn channel(room: &str) -> String {
    format!("room:{room}")
}

fn slot(kind: &str, room: &str, id: u64) -> String {
    format!("{kind}:{room}:{}", id % HISTORY)
}

fn history(room: &str) -> Result<Vec<Message>> {
    let last = kv::increment(&format!("count:{room}"), 0)?;
    ((last + 1).saturating_sub(HISTORY)..=last)
        .filter_map(|id| kv::get(&slot("message", room, id)).transpose())
        .collect()
}

fn within(what: &str, text: &str, chars_max: usize) -> Result<String> {
    let text = text.trim();
    match text.chars().count() {
        length if (1..=chars_max).contains(&length) => Ok(text.to_owned()),
        _ => Err(format!("a {what} has 1 to {chars_max} characters").into()),
    }
}

#[cfg(test)]
mod tests;
