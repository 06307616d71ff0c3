//! Just enough HTTP to ask processes of our own how they are.
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result};

/// A stopped process accepts connections and says nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// Status and body of `GET http://ADDRESS/PATH`; an error if nobody answers.
pub fn get(address: &str, path: &str) -> Result<(u16, String)> {
    let peer: SocketAddr = address.parse().context("an address and port")?;
    let mut stream = TcpStream::connect_timeout(&peer, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // 1.0, so that nothing is chunked.
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    let status = head.split(' ').nth(1).context("no HTTP status")?;
    Ok((status.parse().context("no HTTP status")?, body.to_owned()))
}
