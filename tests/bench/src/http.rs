use anyhow::{Context, bail};
use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::client::{Target, connect};

/// A kept HTTP/1.1 connection, opened when it is needed, and again when the server has closed it.
pub(crate) struct Http {
    target: Target,
    number: usize,
    stream: Option<TcpStream>,
    bytes: BytesMut,
}

impl Http {
    /// From the address of the machine that `number` chooses.
    pub(crate) fn new(target: &Target, number: usize) -> Self {
        Self {
            target: target.clone(),
            number,
            stream: None,
            bytes: BytesMut::new(),
        }
    }

    /// A request of Engine.IO's polling transport, and its answer's body; a POST if it has a body.
    pub(crate) async fn poll(&mut self, sid: &str, body: Option<&str>) -> anyhow::Result<String> {
        self.ask(sid, body).await?;
        self.answer().await
    }

    pub(crate) async fn ask(&mut self, sid: &str, body: Option<&str>) -> anyhow::Result<()> {
        let mut request = format!(
            "{} {}/socket.io/?EIO=4&transport=polling",
            if body.is_some() { "POST" } else { "GET" },
            self.target.prefix
        );
        if !sid.is_empty() {
            request.push_str("&sid=");
            request.push_str(sid);
        }
        request.push_str(" HTTP/1.1\r\nhost: ");
        request.push_str(&self.target.address.to_string());
        if let Some(body) = body {
            request.push_str("\r\ncontent-type: text/plain;charset=UTF-8\r\ncontent-length: ");
            request.push_str(&body.len().to_string());
        }
        request.push_str("\r\n\r\n");
        request.push_str(body.unwrap_or_default());
        let stream = if let Some(stream) = &mut self.stream {
            stream
        } else {
            self.bytes.clear();
            let stream = connect(self.target.address, self.number).await?;
            self.stream.insert(stream)
        };
        Ok(stream.write_all(request.as_bytes()).await?)
    }

    pub(crate) async fn answer(&mut self) -> anyhow::Result<String> {
        let end = loop {
            if let Some(end) = self.bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let head = String::from_utf8_lossy(self.bytes.get(..end).unwrap_or_default()).to_ascii_lowercase();
        self.bytes.advance(end + 4);
        let value = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
        };
        let body = match value("content-length:") {
            Some(length) => {
                let length: usize = length.parse()?;
                while self.bytes.len() < length {
                    self.fill().await?;
                }
                self.bytes.split_to(length).to_vec()
            }
            None if value("transfer-encoding:") == Some("chunked") => self.chunks().await?,
            None => bail!("an answer without a length: {head}"),
        };
        if value("connection:") == Some("close") {
            self.stream = None;
        }
        let body = String::from_utf8(body)?;
        if !head.starts_with("http/1.1 200") {
            bail!("{} {body}", head.lines().next().unwrap_or_default());
        }
        Ok(body)
    }

    async fn chunks(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(end) = self.bytes.windows(2).position(|window| window == b"\r\n") {
                    let line =
                        String::from_utf8_lossy(self.bytes.get(..end).unwrap_or_default()).into_owned();
                    self.bytes.advance(end + 2);
                    break line;
                }
                self.fill().await?;
            };
            let length = usize::from_str_radix(line.trim(), 16).context("the length of a chunk")?;
            while self.bytes.len() < length + 2 {
                self.fill().await?;
            }
            body.extend_from_slice(&self.bytes.split_to(length));
            self.bytes.advance(2);
            if length == 0 {
                return Ok(body);
            }
        }
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        self.bytes.reserve(2 << 10);
        let stream = self.stream.as_mut().context("the server closed the connection")?;
        if stream.read_buf(&mut self.bytes).await? == 0 {
            self.stream = None;
            bail!("the server closed the connection");
        }
        Ok(())
    }
}
