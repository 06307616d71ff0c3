//! A connection's first bytes, which are read before anything is set up to speak HTTP over it.
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::Stream;

/// A connection of which something was read already.
pub(crate) struct Front {
    early: Bytes,
    stream: Stream,
}

impl Front {
    pub(crate) fn new(early: Bytes, stream: Stream) -> Self {
        Self { early, stream }
    }

    /// The stream, and what was read of it and not taken; `taken` was, and came before that.
    pub(crate) fn into_parts(self, taken: Bytes) -> (Stream, Bytes) {
        let Self { early, stream } = self;
        let unread = match (taken.is_empty(), early.is_empty()) {
            (_, true) => taken,
            (true, false) => early,
            (false, false) => {
                let mut both = BytesMut::from(&taken[..]);
                both.extend_from_slice(&early);
                both.freeze()
            }
        };
        (stream, unread)
    }
}

impl AsyncRead for Front {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { early, stream } = self.get_mut();
        if early.is_empty() {
            return Pin::new(stream).poll_read(cx, buf);
        }
        let taken = early.len().min(buf.remaining());
        buf.put_slice(early.get(..taken).unwrap_or_default());
        early.advance(taken);
        if early.is_empty() {
            // It holds no memory any more.
            *early = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Front {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
