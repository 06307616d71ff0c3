//! The small chat of examples/bench, as much of Socket.IO's text as it takes: what a server costs that does only this.

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// It joins the default namespace.
    Connect,
    /// `echo(args)`, wants the ack `id`.
    Echo { id: &'a str, args: &'a str },
    /// `join(room)`, wants the ack `id`.
    Join { id: &'a str, room: &'a str },
    /// `say(room, args)`.
    Say { room: &'a str, args: &'a str },
    /// A pong, or nothing that this chat knows.
    Other,
}

/// Engine.IO's first packet; the id is nobody's secret here.
pub const OPEN: &str = r#"0{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
/// The answer to a CONNECT.
pub const CONNECTED: &str = r#"40{"sid":"BBBBBBBBBBBBBBBBBBBB"}"#;

/// Reads a text packet. Nothing is checked that the chat does not need.
pub fn read(text: &str) -> Said<'_> {
    let Some(event) = text.strip_prefix("42") else {
        return if text.starts_with("40") {
            Said::Connect
        } else {
            Said::Other
        };
    };
    let digits = event.bytes().take_while(u8::is_ascii_digit).count();
    let (id, event) = event.split_at(digits);
    let known = || {
        let event = event.strip_prefix("[\"")?.strip_suffix(']')?;
        let (name, rest) = event.split_once('"')?;
        let args = rest.strip_prefix(',').unwrap_or(rest);
        let room = || {
            let (room, rest) = args.strip_prefix('"')?.split_once('"')?;
            Some((room, rest.strip_prefix(',').unwrap_or(rest)))
        };
        match name {
            "echo" => Some(Said::Echo { id, args }),
            "join" => room().map(|(room, _)| Said::Join { id, room }),
            "say" => room().map(|(room, args)| Said::Say { room, args }),
            _ => None,
        }
    };
    known().unwrap_or(Said::Other)
}

/// An ack.
pub fn ack(id: &str, args: &str) -> String {
    format!("43{id}[{args}]")
}

/// What a room hears.
pub fn message(args: &str) -> String {
    format!(r#"42["msg",{args}]"#)
}

#[cfg(test)]
mod tests;
