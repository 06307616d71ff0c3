use anyhow::{Context, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::node::Node;

/// One kept connection to a host's admin listener.
pub(crate) struct Admin {
    stream: TcpStream,
    head: String,
    read: Vec<u8>,
}

impl Admin {
    pub(crate) async fn connect(node: &Node) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(node.admin).await?;
        stream.set_nodelay(true)?;
        let head = format!("host: {}\r\nauthorization: Bearer {}", node.admin, node.token);
        Ok(Self {
            stream,
            head,
            read: Vec::new(),
        })
    }

    /// Sends a request and answers its JSON; anything but 2xx is an error.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> anyhow::Result<serde_json::Value> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\n{}\r\ncontent-length: {}\r\n\r\n",
            self.head,
            body.len()
        );
        self.stream.write_all(&[head.as_bytes(), body].concat()).await?;
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let answer = String::from_utf8_lossy(self.read.get(..end).unwrap_or_default()).to_ascii_lowercase();
        let length = answer
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.context("an answer without a length")?.trim().parse()?;
        while self.read.len() < end + 4 + length {
            self.fill().await?;
        }
        let body: Vec<u8> = self.read.drain(..end + 4 + length).skip(end + 4).collect();
        if !answer.starts_with("http/1.1 2") {
            bail!("{method} {path}: {answer}\n{}", String::from_utf8_lossy(&body));
        }
        Ok(serde_json::from_slice(&body)?)
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            bail!("the host closed the connection");
        }
        Ok(())
    }
}
