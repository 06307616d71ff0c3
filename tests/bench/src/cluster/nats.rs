use anyhow::{Context, bail};
use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A NATS client that does no more than it must, as [`crate::client::Client`] does: what is between the two is ours.
pub(crate) struct Core {
    stream: TcpStream,
    read: BytesMut,
}

impl Core {
    pub(crate) async fn connect(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut core = Self {
            stream,
            read: BytesMut::new(),
        };
        let info = core.line().await?;
        anyhow::ensure!(info.starts_with("INFO "), "no NATS server: {info}");
        core.write(b"CONNECT {\"verbose\":false,\"pedantic\":false,\"name\":\"bench\"}\r\n")
            .await?;
        core.round_trip().await?;
        Ok(core)
    }

    pub(crate) async fn subscribe(&mut self, subject: &str) -> anyhow::Result<()> {
        self.write(format!("SUB {subject} 1\r\n").as_bytes()).await?;
        self.round_trip().await
    }

    pub(crate) async fn publish(&mut self, subject: &str, payload: &str) -> anyhow::Result<()> {
        let frame = format!("PUB {subject} {}\r\n{payload}\r\n", payload.len());
        self.write(frame.as_bytes()).await
    }

    /// The next message, whose payload it drops.
    pub(crate) async fn message(&mut self) -> anyhow::Result<()> {
        loop {
            let line = self.line().await?;
            if line == "PING" {
                self.write(b"PONG\r\n").await?;
            } else if line.starts_with("MSG ") {
                let length = line
                    .rsplit(' ')
                    .next()
                    .and_then(|length| length.parse::<usize>().ok());
                let whole = length.context("a message without length")? + 2;
                while self.read.len() < whole {
                    self.fill().await?;
                }
                self.read.advance(whole);
                return Ok(());
            } else if line.starts_with("-ERR") {
                bail!("NATS: {line}");
            }
        }
    }

    /// What was sent before has been taken in after it.
    async fn round_trip(&mut self) -> anyhow::Result<()> {
        self.write(b"PING\r\n").await?;
        loop {
            let line = self.line().await?;
            match line.as_str() {
                "PONG" => return Ok(()),
                "PING" => self.write(b"PONG\r\n").await?,
                // The servers of a cluster tell of each other.
                other if other.starts_with("INFO ") => {}
                other => bail!("NATS: {other}"),
            }
        }
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|window| window == b"\r\n") {
                let line = self.read.split_to(end);
                self.read.advance(2);
                return Ok(String::from_utf8(line.to_vec())?);
            }
            self.fill().await?;
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            bail!("NATS closed the connection");
        }
        Ok(())
    }
}
