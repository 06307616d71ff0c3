//! Ports that a process can have again after it was killed.
use std::{
    net::TcpListener,
    process,
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::{Result, bail};

/// Below what Linux gives to outgoing connections (32768 and up): one of those could sit on the port of a node that is
/// down for a moment.
const FIRST: u16 = 12_000;
const LAST: u16 = 32_000;

/// How far this process has come, from where its number sends it, so that two at once seldom meet.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port of 127.0.0.1 that nobody listens on, and that this process has not given out before.
pub fn free_port() -> Result<u16> {
    let span = LAST - FIRST;
    let start = u16::try_from(process::id() * 97 % u32::from(span))?;
    for _ in 0..span {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start.wrapping_add(step)) % span;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port between {FIRST} and {LAST} is free")
}
