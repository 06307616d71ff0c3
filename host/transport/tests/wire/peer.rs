//! The other end: raw TCP with just enough HTTP and WebSocket framing to say anything, right or wrong.
use std::fmt::Write;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::node::Node;

pub(crate) struct Peer {
    pub(crate) tcp: TcpStream,
    unread: Vec<u8>,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Lower-case names.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl Node {
    pub(crate) async fn peer(&self) -> Peer {
        Peer::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        self.peer().await.ask(method, target, headers, body).await
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.ask("GET", target, &[], "").await
    }

    /// Opens a polling session: its sid.
    pub(crate) async fn open(&self) -> String {
        let reply = self.get("/socket.io/?EIO=4&transport=polling").await;
        sid_of(&reply.text())
    }

    pub(crate) async fn poll(&self, sid: &str) -> Reply {
        self.get(&format!("/socket.io/?EIO=4&transport=polling&sid={sid}"))
            .await
    }

    pub(crate) async fn post(&self, sid: &str, body: &str) -> Reply {
        self.ask(
            "POST",
            &format!("/socket.io/?EIO=4&transport=polling&sid={sid}"),
            &[],
            body,
        )
        .await
    }

    pub(crate) async fn websocket(&self, target: &str) -> Peer {
        let mut peer = self.peer().await;
        let reply = peer.upgrade(target, &[]).await;
        assert_eq!(reply.status, 101, "{}", reply.text());
        peer
    }

    /// A WebSocket with a session of its own: its open packet is read.
    pub(crate) async fn session(&self) -> Peer {
        let mut peer = self.websocket("/socket.io/?EIO=4&transport=websocket").await;
        assert!(peer.text().await.starts_with("0{\"sid\":"));
        peer
    }

    /// A WebSocket on which the namespace `/` is joined.
    pub(crate) async fn joined(&self) -> Peer {
        let mut peer = self.session().await;
        peer.send_text("40").await;
        assert!(peer.text().await.starts_with("40{\"sid\":"));
        peer
    }
}

pub(crate) fn sid_of(open: &str) -> String {
    let (_, after) = open.split_once("\"sid\":\"").unwrap();
    after.split_once('"').unwrap().0.to_owned()
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// Status, headers but the date, body: a line as in the measured transcripts.
    pub(crate) fn line(&self) -> String {
        let mut line = format!("{}", self.status);
        let mut headers: Vec<_> = self.headers.iter().filter(|(name, _)| name != "date").collect();
        headers.sort();
        for (name, value) in headers {
            write!(line, " {name}={value}").unwrap();
        }
        if !self.body.is_empty() {
            write!(line, " | {}", String::from_utf8_lossy(&self.body)).unwrap();
        }
        line
    }
}

impl Peer {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            unread: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.tcp.write_all(bytes.as_ref()).await.unwrap();
    }

    pub(crate) async fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        self.send(request(method, target, headers, body)).await;
        self.reply(method == "HEAD").await
    }

    /// Asks for a WebSocket.
    pub(crate) async fn upgrade(&mut self, target: &str, headers: &[(&str, &str)]) -> Reply {
        self.start_upgrade_with(target, headers).await;
        self.reply(false).await
    }

    pub(crate) async fn start_upgrade(&mut self, target: &str) {
        self.start_upgrade_with(target, &[]).await;
    }

    async fn start_upgrade_with(&mut self, target: &str, headers: &[(&str, &str)]) {
        let mut all = vec![
            ("Connection", "keep-alive, Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        all.retain(|(name, _)| !headers.iter().any(|(n, _)| n == name));
        all.extend_from_slice(headers);
        self.send(request("GET", target, &all, "")).await;
    }

    pub(crate) async fn reply(&mut self, is_head: bool) -> Reply {
        let head = self.head().await;
        let mut lines = head.split("\r\n");
        let status: u16 = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
        let length = if is_head || status == 101 { 0 } else { length };
        while self.unread.len() < length {
            assert!(self.fill().await, "ended within a body");
        }
        Reply {
            status,
            headers,
            body: self.unread.drain(..length).collect(),
        }
    }

    /// All up to an empty line, a request's or an answer's.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(4).position(|w| w == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            assert!(
                self.fill().await,
                "ended within a head: {:?}",
                String::from_utf8_lossy(&self.unread)
            );
        }
    }

    /// A masked frame.
    pub(crate) async fn send_frame(&mut self, first_byte: u8, payload: &[u8]) {
        self.send(frame(first_byte, payload)).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.send_frame(0x81, text.as_bytes()).await;
    }

    /// `None` at the end of the stream.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, size)) = parse(&self.unread) {
                self.unread.drain(..size);
                return Some(frame);
            }
            if !self.fill().await {
                assert!(self.unread.is_empty(), "ended within a frame");
                return None;
            }
        }
    }

    pub(crate) async fn text(&mut self) -> String {
        let frame = self.frame().await.expect("a text frame, not the end");
        assert_eq!(frame.opcode, 1, "{frame:?}");
        String::from_utf8(frame.payload).unwrap()
    }

    /// The code of the close frame that comes next, after which nothing comes but the end; 1005 without a code.
    pub(crate) async fn closed(&mut self) -> u16 {
        let frame = self.frame().await.expect("a close frame, not the end");
        assert_eq!(frame.opcode, 8, "{frame:?}");
        let code = frame
            .payload
            .first_chunk()
            .map_or(1005, |code| u16::from_be_bytes(*code));
        assert_eq!(self.frame().await, None);
        code
    }

    /// Nothing more comes, by an end or a reset.
    pub(crate) async fn ended(&mut self) {
        let mut rest = Vec::new();
        let _ = self.tcp.read_to_end(&mut rest).await;
    }

    async fn fill(&mut self) -> bool {
        self.tcp.read_buf(&mut self.unread).await.unwrap() > 0
    }
}

pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text.push_str("Host: localhost:3000\r\n");
    }
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    if !body.is_empty() {
        write!(text, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    text.push_str("\r\n");
    text.push_str(body);
    text
}

pub(crate) fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first_byte];
    match payload.len() {
        size @ 0..126 => bytes.push(0x80 | size as u8),
        size @ 126..65536 => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&(size as u16).to_be_bytes());
        }
        size => {
            bytes.push(0xff);
            bytes.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    let mask = [1, 2, 3, 4];
    bytes.extend_from_slice(&mask);
    bytes.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (size, rest) = match second {
        126 => rest
            .split_first_chunk()
            .map(|(size, rest)| (usize::from(u16::from_be_bytes(*size)), rest))?,
        127 => rest
            .split_first_chunk()
            .map(|(size, rest)| (u64::from_be_bytes(*size) as usize, rest))?,
        size => (usize::from(size), rest),
    };
    let payload = rest.get(..size)?.to_vec();
    let used = bytes.len() - rest.len() + size;
    assert_eq!(first & 0xf0, 0x80, "servers send whole frames without extensions");
    Some((
        Frame {
            opcode: first & 0x0f,
            payload,
        },
        used,
    ))
}
