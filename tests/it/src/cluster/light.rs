//! A Socket.IO client on a WebSocket that is no more than a descriptor and a small buffer.
use std::io::{Error, ErrorKind, Result};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What finds a socket again: its secret, and the offset of the last event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) sid: String,
    pub(crate) pid: String,
    pub(crate) offset: String,
}

/// A connection whose namespace is joined.
pub(crate) struct Light {
    stream: TcpStream,
    read: Vec<u8>,
    pub(crate) memory: Memory,
    /// Whether the server knew it again.
    pub(crate) recovered: bool,
    /// `msg` events that have not been taken.
    pub(crate) heard: Vec<u64>,
}

impl Light {
    /// Connects and joins, as a new socket or as one that is remembered.
    pub(crate) async fn open(address: &str, path: &str, memory: Option<Memory>) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut light = Self {
            stream,
            read: Vec::new(),
            memory: memory.clone().unwrap_or_default(),
            recovered: false,
            heard: Vec::new(),
        };
        light.upgrade(address, path).await?;
        light.until("0{").await?;
        let auth = memory.as_ref().map_or(String::new(), |memory| {
            serde_json::json!({ "pid": memory.pid, "offset": memory.offset }).to_string()
        });
        light.send(&format!("40{auth}")).await?;
        let answer = light.until("40").await?;
        let answer: serde_json::Value = serde_json::from_str(&answer)?;
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        let (sid, pid) = (text("sid"), text("pid"));
        light.recovered = memory.is_some_and(|memory| memory.pid == pid && memory.sid == sid);
        (light.memory.sid, light.memory.pid) = (sid, pid);
        Ok(light)
    }

    /// Emits an event (a JSON array) and waits for its ack's arguments.
    pub(crate) async fn call(&mut self, event: &str) -> Result<String> {
        self.send(&format!("420{event}")).await?;
        self.until("430").await
    }

    /// Until an event has come; what was heard is in `heard`.
    pub(crate) async fn hear(&mut self) -> Result<()> {
        while self.heard.is_empty() {
            self.step("\0").await?;
        }
        Ok(())
    }

    async fn until(&mut self, prefix: &str) -> Result<String> {
        loop {
            if let Some(rest) = self.step(prefix).await? {
                return Ok(rest);
            }
        }
    }

    /// One packet: answers a ping, takes note of an event, or gives the rest of what starts with `prefix`.
    async fn step(&mut self, prefix: &str) -> Result<Option<String>> {
        let text = self.text().await?;
        if text == "2" {
            self.send("3").await?;
        } else if let Some(event) = text.strip_prefix("42[") {
            self.note(&format!("[{event}"))?;
        } else if let Some(rest) = text.strip_prefix(prefix) {
            return Ok(Some(rest.to_owned()));
        } else if text.starts_with("44") {
            return Err(Error::new(ErrorKind::PermissionDenied, text));
        }
        Ok(None)
    }

    /// `["msg",NUMBER,OFFSET]`, and others whose offset counts all the same.
    fn note(&mut self, event: &str) -> Result<()> {
        let event: Vec<serde_json::Value> = serde_json::from_str(event)?;
        if let Some(offset) = event.last().and_then(serde_json::Value::as_str) {
            offset.clone_into(&mut self.memory.offset);
        }
        if event[0] == "msg" {
            self.heard.extend(event[1].as_u64());
        }
        Ok(())
    }

    async fn upgrade(&mut self, address: &str, path: &str) -> Result<()> {
        let request = format!(
            "GET {path}?EIO=4&transport=websocket HTTP/1.1\r\nhost: {address}\r\nupgrade: websocket\r\nconnection: \
             Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes()).await?;
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.fill().await?;
        };
        if !self.read.starts_with(b"HTTP/1.1 101") {
            let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
            return Err(Error::new(ErrorKind::ConnectionRefused, head));
        }
        self.read.drain(..end + 4);
        Ok(())
    }

    /// A mask of zeros is a mask. Nothing here is long.
    pub(crate) async fn send(&mut self, text: &str) -> Result<()> {
        let mut frame = vec![0x81];
        if text.len() < LENGTH_IN_TWO {
            frame.push(0x80 | u8::try_from(text.len()).unwrap());
        } else {
            frame.push(0x80 | LENGTH_IN_TWO as u8);
            frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.stream.write_all(&frame).await
    }

    async fn text(&mut self) -> Result<String> {
        loop {
            if let Some((start, end)) = frame(&self.read) {
                let text = String::from_utf8_lossy(&self.read[start..end]).into_owned();
                // 8: a close; its reason is not asked for.
                let closed = self.read[0] & 0x0f == 8;
                self.read.drain(..end);
                if closed {
                    return Err(ErrorKind::ConnectionAborted.into());
                }
                return Ok(text);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            read => {
                self.read.extend_from_slice(&buffer[..read]);
                Ok(())
            }
        }
    }
}

/// Says that the length follows in two bytes (RFC 6455 §5.2).
const LENGTH_IN_TWO: usize = 126;

/// Where the payload of the first frame starts and ends, if it is all there.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (start, length) = match bytes.get(1)? & 0x7f {
        126 => (
            4,
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        ),
        127 => panic!("a frame of more than 64 KiB is none that this client was sent"),
        short => (2, usize::from(short)),
    };
    (bytes.len() >= start + length).then_some((start, start + length))
}
