//! The floor: epoll, and a codec that knows nothing but this chat. No heartbeats, no namespaces, no back-pressure, no
//! limits. One `recv` and one `send` for an echo, one `send` for a delivery. `epoll PORT`.
use std::{
    collections::HashMap,
    io::{self, Read, Write},
};

use hyper_tungstenite::tungstenite::handshake::derive_accept_key;
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use peers::{CONNECTED, OPEN, Said, ack, message, read};

struct Connection {
    stream: TcpStream,
    /// The start of what has not come whole; empty for nearly everybody.
    partial: Vec<u8>,
    /// What the socket had no room for; empty for nearly everybody.
    unsent: Vec<u8>,
    rooms: Vec<String>,
    upgraded: bool,
}

#[derive(Default)]
struct Chat {
    connections: Vec<Option<Box<Connection>>>,
    free: Vec<usize>,
    rooms: HashMap<String, Vec<usize>>,
}

/// Shared by all connections.
const READ_BYTES: usize = 64 << 10;
const LISTENER: Token = Token(usize::MAX);

fn main() -> io::Result<()> {
    let port: u16 = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .unwrap_or(3000);
    let mut listener = TcpListener::bind(([127, 0, 0, 1], port).into())?;
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut chat = Chat::default();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == LISTENER {
                chat.accept(&listener, &poll)?;
                continue;
            }
            let number = event.token().0;
            let mut kept = Ok(true);
            if event.is_writable() {
                kept = chat.flush(number);
            }
            if event.is_readable() && matches!(kept, Ok(true)) {
                kept = chat.readable(number, &mut buffer);
            }
            if !matches!(kept, Ok(true)) {
                chat.close(number);
            }
        }
    }
}

impl Chat {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> io::Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(_) => continue,
            };
            stream.set_nodelay(true)?;
            let number = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(number), interest)?;
            self.connections[number] = Some(Box::new(Connection {
                stream,
                partial: Vec::new(),
                unsent: Vec::new(),
                rooms: Vec::new(),
                upgraded: false,
            }));
        }
    }

    fn close(&mut self, number: usize) {
        let Some(connection) = self.connections[number].take() else {
            return;
        };
        for room in &connection.rooms {
            if let Some(members) = self.rooms.get_mut(room) {
                members.retain(|member| *member != number);
            }
        }
        self.free.push(number);
    }

    /// Whether the connection stays.
    fn readable(&mut self, number: usize, buffer: &mut [u8]) -> io::Result<bool> {
        loop {
            let Some(connection) = &mut self.connections[number] else {
                return Ok(true);
            };
            let length = match connection.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            };
            let mut joined = Vec::new();
            let mut bytes = &mut buffer[..length];
            if !connection.partial.is_empty() {
                joined = std::mem::take(&mut connection.partial);
                joined.extend_from_slice(bytes);
                bytes = &mut joined;
            }
            let used = self.take(number, bytes)?;
            if used < bytes.len()
                && let Some(connection) = &mut self.connections[number]
            {
                connection.partial = bytes[used..].to_vec();
            }
            drop(joined);
            // Edge-triggered, and a short read of a stream says that it is drained (epoll(7)).
            if length < buffer.len() {
                return Ok(true);
            }
        }
    }

    /// Answers how many bytes it has used.
    fn take(&mut self, number: usize, bytes: &mut [u8]) -> io::Result<usize> {
        let mut used = 0;
        loop {
            let Some(connection) = &mut self.connections[number] else {
                return Ok(bytes.len());
            };
            let rest = &mut bytes[used..];
            if !connection.upgraded {
                let Some(end) = rest.windows(4).position(|window| window == b"\r\n\r\n") else {
                    return Ok(used);
                };
                let head = String::from_utf8_lossy(&rest[..end]).into_owned();
                used += end + 4;
                self.upgrade(number, &head)?;
                continue;
            }
            let Some((start, length, close)) = unmask(rest) else {
                return Ok(used);
            };
            if close {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            used += start + length;
            let text = std::str::from_utf8(&rest[start..start + length]).unwrap_or_default();
            self.said(number, text)?;
        }
    }

    fn upgrade(&mut self, number: usize, head: &str) -> io::Result<()> {
        let key = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("sec-websocket-key")
                .then(|| value.trim())
        });
        let mut answer = match key {
            Some(key) => format!(
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                 sec-websocket-accept: {}\r\n\r\n",
                derive_accept_key(key.as_bytes())
            )
            .into_bytes(),
            None => return self.send(number, b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nready\n"),
        };
        if let Some(connection) = &mut self.connections[number] {
            connection.upgraded = true;
        }
        answer.extend(frame(OPEN));
        self.send(number, &answer)
    }

    fn said(&mut self, number: usize, text: &str) -> io::Result<()> {
        match read(text) {
            Said::Connect => self.send(number, &frame(CONNECTED)),
            Said::Echo { id, args } => self.send(number, &frame(&ack(id, args))),
            Said::Join { id, room } => {
                self.rooms.entry(room.to_owned()).or_default().push(number);
                if let Some(connection) = &mut self.connections[number] {
                    connection.rooms.push(room.to_owned());
                }
                self.send(number, &frame(&ack(id, "")))
            }
            Said::Say { room, args } => {
                let frame = frame(&message(args));
                let members = self.rooms.get_mut(room).map(std::mem::take).unwrap_or_default();
                for member in &members {
                    // Whose connection has ended is heard of by reading.
                    _ = self.send(*member, &frame);
                }
                self.rooms.insert(room.to_owned(), members);
                Ok(())
            }
            Said::Other => Ok(()),
        }
    }

    fn send(&mut self, number: usize, bytes: &[u8]) -> io::Result<()> {
        let Some(connection) = &mut self.connections[number] else {
            return Ok(());
        };
        let mut sent = 0;
        if connection.unsent.is_empty() {
            sent = match connection.stream.write(bytes) {
                Ok(sent) => sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
        }
        connection.unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    /// Whether the connection stays.
    fn flush(&mut self, number: usize) -> io::Result<bool> {
        let Some(connection) = &mut self.connections[number] else {
            return Ok(true);
        };
        while !connection.unsent.is_empty() {
            match connection.stream.write(&connection.unsent) {
                Ok(sent) => drop(connection.unsent.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        connection.unsent = Vec::new();
        Ok(true)
    }
}

/// A whole text frame without a mask.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = Vec::with_capacity(text.len() + 10);
    frame.push(0x81);
    match text.len() {
        short @ 0..=125 => frame.push(short as u8),
        long @ 126..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&(long as u16).to_be_bytes());
        }
        longer => {
            frame.push(127);
            frame.extend_from_slice(&(longer as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// Unmasks the first frame in place if it is there whole: where its payload starts, its length, whether it closes.
fn unmask(bytes: &mut [u8]) -> Option<(usize, usize, bool)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (start, length) = match second & 0x7f {
        126 => (
            4,
            usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        ),
        127 => (
            10,
            u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize,
        ),
        short => (2, usize::from(short)),
    };
    let mask: [u8; 4] = bytes.get(start..start + 4)?.try_into().ok()?;
    let start = start + 4;
    for (place, byte) in bytes.get_mut(start..start + length)?.iter_mut().enumerate() {
        *byte ^= mask[place & 3];
    }
    Some((start, length, first & 0x0f == 8))
}
