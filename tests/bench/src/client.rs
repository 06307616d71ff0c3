use std::net::SocketAddr;

use anyhow::{Context, bail};
use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A Socket.IO client on a WebSocket that does no more than it must: its cost is not what is measured.
pub(crate) struct Client {
    stream: TcpStream,
    read: BytesMut,
}

impl Client {
    /// Connects, upgrades and joins the default namespace. `app` empty: a server that has but one.
    pub(crate) async fn join(address: SocketAddr, app: &str) -> anyhow::Result<Self> {
        let app = if app.is_empty() {
            String::new()
        } else {
            format!("/{app}")
        };
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET {app}/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: {address}\r\nupgrade: websocket\r\n\
             connection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut client = Self {
            stream,
            read: BytesMut::new(),
        };
        let end = loop {
            if let Some(end) = client.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            client.fill().await?;
        };
        let head = String::from_utf8_lossy(client.read.get(..end).unwrap_or_default()).into_owned();
        if !head.starts_with("HTTP/1.1 101") {
            bail!("no upgrade: {head}");
        }
        client.read.advance(end + 4);
        client.until("0{").await?;
        client.send("40").await?;
        client.until("40{").await?;
        Ok(client)
    }

    /// Emits `event` (a JSON array) and waits for its ack, whose JSON array it returns.
    pub(crate) async fn call(&mut self, event: &str) -> anyhow::Result<String> {
        self.send(&format!("420{event}")).await?;
        self.until("430").await
    }

    /// Emits `event` (a JSON array) and waits for nothing.
    pub(crate) async fn emit(&mut self, event: &str) -> anyhow::Result<()> {
        self.send(&format!("42{event}")).await
    }

    /// Reads what there is, or waits for something; answers how many events it had, and pings. May be dropped.
    pub(crate) async fn events(&mut self) -> anyhow::Result<u64> {
        self.fill().await?;
        let (mut events, mut pings) = (0, 0);
        while let Some((start, length)) = frame(&self.read)
            && self.read.len() >= start + length
        {
            match self.read.get(start..start + length) {
                Some([b'4', b'2', ..]) => events += 1,
                Some(b"2") => pings += 1,
                _ => {}
            }
            self.read.advance(start + length);
        }
        for _ in 0..pings {
            self.send("3").await?;
        }
        Ok(events)
    }

    /// Reads until a text starts with `prefix`, and returns what follows; answers pings.
    async fn until(&mut self, prefix: &str) -> anyhow::Result<String> {
        loop {
            let text = self.text().await?;
            if text == "2" {
                self.send("3").await?;
            } else if let Some(rest) = text.strip_prefix(prefix) {
                return Ok(rest.to_owned());
            }
        }
    }

    async fn send(&mut self, text: &str) -> anyhow::Result<()> {
        // A mask of zeros is a mask (RFC 6455 §5.3 asks clients for unpredictable ones, for the sake of proxies).
        let mut frame = vec![0x81];
        match text.len() {
            short @ 0..=125 => frame.push(0x80 | u8::try_from(short)?),
            long => {
                frame.push(0x80 | 0x7e);
                frame.extend_from_slice(&u16::try_from(long).context("a long frame")?.to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        self.stream.write_all(&frame).await?;
        Ok(())
    }

    async fn text(&mut self) -> anyhow::Result<String> {
        loop {
            if let Some((start, length)) = frame(&self.read)
                && self.read.len() >= start + length
            {
                self.read.advance(start);
                let payload = self.read.split_to(length);
                return Ok(String::from_utf8(payload.to_vec())?);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

/// Where the payload of an unmasked frame starts, and its length.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes.get(1)? & 0x7f {
        126 => Some((
            4,
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        )),
        127 => {
            let length: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            Some((10, usize::try_from(u64::from_be_bytes(length)).ok()?))
        }
        short => Some((2, usize::from(short))),
    }
}
