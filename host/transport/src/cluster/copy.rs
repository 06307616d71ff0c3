//! Bytes between a client and its session's home, as they are.
use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

use crate::{service::Visit, stream::Stream};

/// How long each side may keep the other waiting.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// A client that takes no byte for so long is cut.
    write_timeout: Duration,
    /// When one side has ended, the other has so long to end, too.
    close_timeout: Duration,
    /// A home that says nothing for so long is dead: it would have sent a heartbeat.
    silence_max: Duration,
}

/// The two connections of a carried WebSocket.
pub(super) struct Pair {
    client: Stream,
    home: TcpStream,
    to_home: Way,
    to_client: Way,
    /// When the home last said something.
    heard: Instant,
    /// Rings when the home may have been silent for too long.
    silence: Pin<Box<Sleep>>,
    /// Runs while the client takes nothing. Most never have one.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Runs when one side has ended.
    ending: Option<Pin<Box<Sleep>>>,
    limits: Limits,
}

/// One direction.
struct Way {
    /// Read and not written yet, at most [`READ_BYTES`]: no more is read until it is empty. An idle way has no buffer.
    left: Bytes,
    /// Written, but perhaps not flushed: TLS holds bytes back.
    is_unflushed: bool,
    state: Open,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Yes,
    /// The reading side ended; the writing side is to be told.
    Ending,
    No,
}

/// What a direction is waiting for.
enum Waits {
    Reading,
    Writing,
    Over,
}

/// Why a pair ends.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("both sides ended")]
    Both,
    #[error("the client is gone ({0})")]
    Client(io::Error),
    #[error("the other node is gone ({0})")]
    Home(io::Error),
    #[error("the client takes nothing")]
    Stalled,
    #[error("the other node sends no heartbeat")]
    Silent,
    #[error("one side ended, the other did not")]
    HalfOpen,
    #[error("this node stops")]
    Stopped,
}

impl Limits {
    pub(super) fn new(visit: &Visit) -> Self {
        let config = &visit.client.site.config;
        let engine = &visit.app.settings.engine;
        Self {
            write_timeout: config.write_timeout,
            close_timeout: config.close_timeout,
            // One heartbeat more than a session lives without.
            silence_max: 2 * engine.ping_interval + engine.ping_timeout,
        }
    }
}

impl Pair {
    /// `early`, `said`: what client and home sent right behind the upgrade.
    pub(super) fn new(client: Stream, home: TcpStream, early: &[u8], said: &[u8], limits: Limits) -> Self {
        Self {
            client,
            home,
            to_home: Way::new(early),
            to_client: Way::new(said),
            heard: Instant::now(),
            silence: Box::pin(sleep(limits.silence_max)),
            stalled: None,
            ending: None,
            limits,
        }
    }

    /// Copies until both sides have ended, or one broke, or `stopped` ends. Each side's end is passed on as it came: a
    /// half-closed stream as one, a reset as a reset.
    pub(super) async fn carry(&mut self, mut stopped: Pin<&mut impl Future<Output = ()>>) {
        let end = poll_fn(|cx| {
            if stopped.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Stopped);
            }
            self.poll_carry(cx)
        })
        .await;
        tracing::debug!(%end, "carried WebSocket ended");
        let (cuts_home, cuts_client) = match end {
            End::Both => (false, false),
            End::Client(_) | End::Stalled | End::HalfOpen | End::Stopped => (true, false),
            End::Home(_) | End::Silent => (true, true),
        };
        if cuts_home && let Err(error) = self.home.set_zero_linger() {
            tracing::debug!(%error, "a reset could not be passed on");
        }
        if cuts_client && let Err(error) = self.client.tcp().set_zero_linger() {
            tracing::debug!(%error, "a reset could not be passed on");
        }
    }

    fn poll_carry(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let Self {
            client,
            home,
            to_home,
            to_client,
            ..
        } = self;
        let (outward, _) = match to_home.poll(client, home, cx) {
            Ok(waits) => waits,
            Err(Side::Reader(error)) => return Poll::Ready(End::Client(error)),
            Err(Side::Writer(error)) => return Poll::Ready(End::Home(error)),
        };
        let (inward, moved) = match to_client.poll(home, client, cx) {
            Ok(waits) => waits,
            Err(Side::Reader(error)) => return Poll::Ready(End::Home(error)),
            Err(Side::Writer(error)) => return Poll::Ready(End::Client(error)),
        };
        if moved {
            self.heard = Instant::now();
            self.stalled = None;
        }
        match (outward, &inward) {
            (Waits::Over, Waits::Over) => return Poll::Ready(End::Both),
            (Waits::Over, _) | (_, Waits::Over) => {
                let limit = self.limits.close_timeout;
                let ending = self.ending.get_or_insert_with(|| Box::pin(sleep(limit)));
                ready!(ending.as_mut().poll(cx));
                return Poll::Ready(End::HalfOpen);
            }
            _ => {}
        }
        if let Waits::Writing = inward {
            let limit = self.limits.write_timeout;
            let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
            ready!(stalled.as_mut().poll(cx));
            return Poll::Ready(End::Stalled);
        }
        self.stalled = None;
        self.poll_silence(cx)
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            ready!(self.silence.as_mut().poll(cx));
            let until = self.heard + self.limits.silence_max;
            if until <= Instant::now() {
                return Poll::Ready(End::Silent);
            }
            self.silence.as_mut().reset(until);
        }
    }
}

/// Which side of a direction broke.
enum Side {
    Reader(io::Error),
    Writer(io::Error),
}

impl Way {
    fn new(left: &[u8]) -> Self {
        Self {
            left: Bytes::copy_from_slice(left),
            is_unflushed: false,
            state: Open::Yes,
        }
    }

    /// Moves what can be moved now; answers what it waits for, a waker set, and whether anything was moved.
    fn poll(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Result<(Waits, bool), Side> {
        let mut moved = false;
        loop {
            if self
                .poll_write(to, &mut moved, cx)
                .map_err(Side::Writer)?
                .is_pending()
            {
                return Ok((Waits::Writing, moved));
            }
            match self.state {
                Open::No => return Ok((Waits::Over, moved)),
                Open::Ending => match Pin::new(&mut *to).poll_shutdown(cx) {
                    Poll::Pending => return Ok((Waits::Writing, moved)),
                    Poll::Ready(Ok(())) => self.state = Open::No,
                    Poll::Ready(Err(error)) => return Err(Side::Writer(error)),
                },
                Open::Yes => {
                    let mut bytes = [const { MaybeUninit::uninit() }; READ_BYTES];
                    let mut bytes = ReadBuf::uninit(&mut bytes);
                    match Pin::new(&mut *from).poll_read(cx, &mut bytes) {
                        Poll::Pending => return Ok((Waits::Reading, moved)),
                        Poll::Ready(Err(error)) => return Err(Side::Reader(error)),
                        Poll::Ready(Ok(())) if bytes.filled().is_empty() => self.state = Open::Ending,
                        Poll::Ready(Ok(())) => {
                            moved = true;
                            self.write_or_keep(bytes.filled(), to, cx).map_err(Side::Writer)?;
                        }
                    }
                }
            }
        }
    }

    /// Nearly always all is written at once, and nothing is copied.
    fn write_or_keep(
        &mut self,
        bytes: &[u8],
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        let written = match Pin::new(to).poll_write(cx, bytes) {
            Poll::Pending => 0,
            Poll::Ready(written) => written?,
        };
        self.is_unflushed |= written > 0;
        self.left = bytes
            .get(written..)
            .map(Bytes::copy_from_slice)
            .unwrap_or_default();
        Ok(())
    }

    /// Writes and flushes what is left.
    fn poll_write(
        &mut self,
        to: &mut (impl AsyncWrite + Unpin),
        moved: &mut bool,
        cx: &mut Context<'_>,
    ) -> io::Result<Poll<()>> {
        while !self.left.is_empty() {
            match Pin::new(&mut *to).poll_write(cx, &self.left) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => {
                    self.left.advance(written);
                    self.is_unflushed = true;
                    *moved = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        self.left = Bytes::new();
        if self.is_unflushed {
            match Pin::new(to).poll_flush(cx) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(flushed) => flushed?,
            }
            self.is_unflushed = false;
        }
        Ok(Poll::Ready(()))
    }
}

/// Bytes read at once, on the stack.
const READ_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests;
