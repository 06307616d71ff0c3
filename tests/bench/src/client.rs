use std::{
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
};

use anyhow::{Context, bail};
use bytes::{Buf, BytesMut};
use tokio::{
    io::AsyncReadExt,
    net::{
        TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::frame;

/// A Socket.IO client on a WebSocket that does no more than it must: its cost is not what is measured.
pub(crate) struct Client {
    read: OwnedReadHalf,
    write: Writer,
    bytes: BytesMut,
    /// What the server answered to CONNECT: `{"sid":…}`.
    pub(crate) connected: String,
    /// Events that came as whole texts (`until`, `text`), those before CONNECT's answer included; of the last one, all of it.
    pub(crate) events_seen: u64,
    pub(crate) last_event: String,
}

/// Where a server takes Socket.IO clients.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// Before `/socket.io/`; empty, or with a slash in front.
    pub(crate) prefix: String,
}

/// What a read brought.
#[derive(Default, Clone, Copy)]
pub(crate) struct Heard {
    pub(crate) events: u64,
    pub(crate) acks: u64,
}

/// The half that sends; may be held beside the client.
#[derive(Clone)]
pub(crate) struct Writer(Rc<OwnedWriteHalf>);

/// Room for the next read.
const READ_BYTES: usize = 2 << 10;

impl Client {
    /// Connects, upgrades and joins the default namespace. `app` empty: a server that has but one.
    pub(crate) async fn join(address: SocketAddr, app: &str) -> anyhow::Result<Self> {
        let prefix = if app.is_empty() {
            String::new()
        } else {
            format!("/{app}")
        };
        Self::join_from(&Target { address, prefix }, 0, "").await
    }

    /// The same, from the address of the machine that `number` chooses, with `auth` (a JSON object, or nothing).
    pub(crate) async fn join_from(target: &Target, number: usize, auth: &str) -> anyhow::Result<Self> {
        Self::join_over(connect(target.address, number).await?, target, auth).await
    }

    /// The same, over a connection that is there.
    pub(crate) async fn join_over(stream: TcpStream, target: &Target, auth: &str) -> anyhow::Result<Self> {
        let mut client = Self::open(stream, target, "").await?;
        client.until("0{").await?;
        client.write.send(&frame::text(&format!("40{auth}"))).await?;
        client.connected = format!("{{{}", client.until("40{").await?);
        Ok(client)
    }

    /// A session that has polled so far goes on over a WebSocket. No poll of its may be waiting.
    pub(crate) async fn upgrade(target: &Target, number: usize, sid: &str) -> anyhow::Result<Self> {
        let stream = connect(target.address, number).await?;
        let mut client = Self::open(stream, target, &format!("&sid={sid}")).await?;
        client.write.send(&frame::text("2probe")).await?;
        client.until("3probe").await?;
        client.write.send(&frame::text("5")).await?;
        Ok(client)
    }

    /// The WebSocket, and nothing said yet.
    async fn open(stream: TcpStream, target: &Target, query: &str) -> anyhow::Result<Self> {
        let (read, write) = stream.into_split();
        let mut client = Self {
            read,
            write: Writer(Rc::new(write)),
            bytes: BytesMut::new(),
            connected: String::new(),
            events_seen: 0,
            last_event: String::new(),
        };
        let request = format!(
            "GET {}/socket.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\nhost: {}\r\nupgrade: websocket\r\n\
             connection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            target.prefix, target.address
        );
        client.write.send(request.as_bytes()).await?;
        let end = loop {
            if let Some(end) = client.bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            client.fill().await?;
        };
        let head = String::from_utf8_lossy(client.bytes.get(..end).unwrap_or_default()).into_owned();
        if !head.starts_with("HTTP/1.1 101") {
            bail!("no upgrade: {head}");
        }
        client.bytes.advance(end + 4);
        Ok(client)
    }

    /// Emits `event` (a JSON array) and waits for its ack, whose JSON array it returns.
    pub(crate) async fn call(&mut self, event: &str) -> anyhow::Result<String> {
        self.write.send(&frame::text(&format!("420{event}"))).await?;
        self.until("430").await
    }

    /// The same, so many at once, in one write.
    pub(crate) async fn call_at_once(&mut self, event: &str, count: usize) -> anyhow::Result<()> {
        let frame = frame::text(&format!("420{event}"));
        self.write.send(&frame.repeat(count)).await?;
        for _ in 0..count {
            self.until("430").await?;
        }
        Ok(())
    }

    /// Emits `event` (a JSON array) and waits for nothing.
    pub(crate) async fn emit(&mut self, event: &str) -> anyhow::Result<()> {
        self.write.send(&frame::text(&format!("42{event}"))).await
    }

    /// Leaves as a client does that is closed, not lost: it will not recover.
    pub(crate) async fn leave(self) -> anyhow::Result<()> {
        self.write.send(&frame::text("41")).await
    }

    /// What it recovers with, as JSON: the secret of its session and the offset it came to, or nothing where the server has
    /// no recovery.
    pub(crate) fn recovery(&self) -> String {
        let pid = after(&self.connected, r#""pid":""#);
        // The offset is the last argument.
        let offset = self.last_event.rsplit('"').nth(1).unwrap_or_default();
        pid.map_or_else(String::new, |pid| {
            format!(r#"{{"pid":"{pid}","offset":"{offset}"}}"#)
        })
    }

    /// Its public id.
    pub(crate) fn sid(&self) -> Option<&str> {
        after(&self.connected, r#""sid":""#)
    }

    pub(crate) fn writer(&self) -> Writer {
        self.write.clone()
    }

    /// Reads what there is, or waits for something; answers how many events it had. May be dropped.
    pub(crate) async fn events(&mut self) -> anyhow::Result<u64> {
        Ok(self.heard().await?.events)
    }

    /// The same, of acks too. Answers pings. May be dropped.
    pub(crate) async fn heard(&mut self) -> anyhow::Result<Heard> {
        self.fill().await?;
        let (mut heard, mut pings) = (Heard::default(), 0);
        while let Some((start, length)) = frame::payload(&self.bytes)
            && self.bytes.len() >= start + length
        {
            if frame::closes(&self.bytes) {
                bail!("the server closed the WebSocket");
            }
            match self.bytes.get(start..start + length) {
                Some([b'4', b'2', ..]) => heard.events += 1,
                Some([b'4', b'3', ..]) => heard.acks += 1,
                Some(b"2") => pings += 1,
                _ => {}
            }
            self.bytes.advance(start + length);
        }
        for _ in 0..pings {
            self.write.send(&frame::text("3")).await?;
        }
        Ok(heard)
    }

    /// Reads until a text starts with `prefix`, and returns what follows; answers pings.
    pub(crate) async fn until(&mut self, prefix: &str) -> anyhow::Result<String> {
        loop {
            let text = self.text().await?;
            if text == "2" {
                self.write.send(&frame::text("3")).await?;
            } else if let Some(rest) = text.strip_prefix(prefix) {
                return Ok(rest.to_owned());
            } else if text.starts_with("44") {
                bail!("refused: {text}");
            }
        }
    }

    /// The next text, of whatever kind.
    pub(crate) async fn text(&mut self) -> anyhow::Result<String> {
        loop {
            if let Some((start, length)) = frame::payload(&self.bytes)
                && self.bytes.len() >= start + length
            {
                if frame::closes(&self.bytes) {
                    bail!("the server closed the WebSocket");
                }
                self.bytes.advance(start);
                let text = String::from_utf8(self.bytes.split_to(length).to_vec())?;
                if text.starts_with("42") {
                    self.events_seen += 1;
                    self.last_event.clone_from(&text);
                }
                return Ok(text);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        // What was read before is given back, nothing is moved: a read is one system call, whatever came before.
        self.bytes.reserve(READ_BYTES);
        if self.read.read_buf(&mut self.bytes).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

impl Writer {
    pub(crate) async fn send(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            // Mostly there is room, and asking first would be a system call of its own.
            match self.0.try_write(rest) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => self.0.writable().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// What stands between `key` and the next quotation mark.
fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    Some(text.split_once(key)?.1.split_once('"')?.0)
}

/// From one of 200 addresses of this machine, of networks of their own: so that ports do not run out, and so that a proxy
/// that tells clients apart by their network (nginx's `ip_hash`) has some to tell apart.
pub(crate) async fn connect(address: SocketAddr, number: usize) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let network = u8::try_from(number % 200 + 1)?;
    socket.bind((Ipv4Addr::new(127, 0, network, 1), 0).into())?;
    let stream = socket.connect(address).await.context("no connection")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
