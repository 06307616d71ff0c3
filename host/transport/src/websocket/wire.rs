//! A WebSocket's bytes: read through a buffer that all WebSockets of a core share, written with or without its task.
use std::{
    cell::RefCell,
    io::{self, ErrorKind, Read, Write},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hyper_tungstenite::tungstenite::protocol::frame::{
    Frame,
    coding::{Data, OpCode},
};
use session::{Outgoing, Sink};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::Stream;

/// A connection's stream and what waits to be written to it.
pub(super) struct Lane(RefCell<Wire>);

struct Wire {
    stream: Stream,
    /// Frames on their way. Holds at most [`OUT_BYTES_HIGH`] and one frame more.
    out: BytesMut,
    /// Written, but perhaps not flushed: TLS holds bytes back.
    unflushed: bool,
}

/// When so much waits to be written, no more is taken from the session and nothing is read that would need answers.
pub(super) const OUT_BYTES_HIGH: usize = 16 * 1024;

/// Read at once, at most.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    /// What the WebSockets of a core read into and write from, one after the other: an idle one has no buffer.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        read: vec![0; READ_BYTES],
        write: Vec::with_capacity(2 * OUT_BYTES_HIGH),
    });
}

struct Scratch {
    read: Vec<u8>,
    write: Vec<u8>,
}

/// Reads once, whatever there is; nothing at the end.
pub(crate) fn poll_read_some(stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut read = ReadBuf::new(&mut scratch.read);
        ready!(Pin::new(stream).poll_read(cx, &mut read))?;
        Poll::Ready(Ok(Bytes::copy_from_slice(read.filled())))
    })
}

impl Lane {
    pub(super) fn new(stream: Stream) -> Self {
        Self(RefCell::new(Wire {
            stream,
            out: BytesMut::new(),
            unflushed: false,
        }))
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.0.borrow().out.len()
    }

    /// Whether what comes next can be written at once by whoever has it, as far as is known.
    pub(super) fn is_clear(&self) -> bool {
        let wire = self.0.borrow();
        matches!(wire.stream, Stream::Plain(_)) && wire.out.is_empty() && !wire.unflushed
    }

    pub(super) fn queue(&self, frame: Frame) {
        put(frame, &mut self.0.borrow_mut().out);
    }

    pub(super) fn queue_bytes(&self, bytes: &[u8]) {
        self.0.borrow_mut().out.extend_from_slice(bytes);
    }

    /// Writes all there is; answers, too, whether the peer took anything.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>) -> (bool, Poll<io::Result<()>>) {
        let wire = &mut *self.0.borrow_mut();
        let mut progress = false;
        let written = wire.poll_write(cx, &mut progress);
        (progress, written)
    }

    pub(super) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_shutdown(cx)
    }

    /// Reads to the end, for nothing.
    pub(super) fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<()> {
        let stream = &mut self.0.borrow_mut().stream;
        loop {
            let mut bytes = [0; 1024];
            let mut bytes = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut bytes)) {
                Ok(()) if !bytes.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}

impl Wire {
    fn poll_write(&mut self, cx: &mut Context<'_>, progress: &mut bool) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                written => {
                    self.out.advance(written);
                    self.unflushed = true;
                    *progress = true;
                }
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
            *progress = true;
            // An idle connection keeps no buffer.
            self.out = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl Sink for Lane {
    fn write(&self, next: &mut dyn FnMut() -> Option<Outgoing>) -> bool {
        let wire = &mut *self.0.borrow_mut();
        let Stream::Plain(tcp) = &wire.stream else {
            return false;
        };
        if !wire.out.is_empty() {
            return false;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let bytes = &mut scratch.write;
            loop {
                bytes.clear();
                while bytes.len() < OUT_BYTES_HIGH
                    && let Some(outgoing) = next()
                {
                    put(frame(outgoing), bytes);
                }
                if bytes.is_empty() {
                    return true;
                }
                // What went wrong, if it did, is seen by the task as well.
                let written = tcp.try_write(bytes).unwrap_or(0);
                if written < bytes.len() {
                    wire.out
                        .extend_from_slice(bytes.get(written..).unwrap_or_default());
                    bytes.shrink_to(2 * OUT_BYTES_HIGH);
                    return false;
                }
                if bytes.len() < OUT_BYTES_HIGH {
                    return true;
                }
            }
        })
    }
}

fn put(frame: Frame, out: &mut impl BufMut) {
    let written = frame.format(&mut out.writer());
    assert!(written.is_ok(), "memory takes every frame");
}

/// A close is no frame of this kind: it ends the task.
pub(super) fn frame(outgoing: Outgoing) -> Frame {
    match outgoing {
        Outgoing::Text(text) => Frame::message(text, OpCode::Data(Data::Text), true),
        Outgoing::Binary(bytes) => Frame::message(bytes, OpCode::Data(Data::Binary), true),
        Outgoing::Ping => Frame::ping(Bytes::new()),
        Outgoing::Close(_) => unreachable!("the WebSocket's task closes"),
    }
}

/// The stream as the library sees it: reads go to the socket, writes (pongs and replies to close frames, which it
/// makes by itself) to the queue that everything else goes through.
pub(super) struct Pipe<'a, 'cx> {
    pub(super) lane: &'a Lane,
    /// What was read beyond what the library had room for.
    pub(super) unread: &'a mut Bytes,
    /// Counts what the library took.
    pub(super) taken_bytes: &'a mut usize,
    pub(super) cx: &'a mut Context<'cx>,
}

impl Read for Pipe<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.unread.is_empty() {
            let taken = self.unread.len().min(buf.len());
            self.unread
                .copy_to_slice(buf.get_mut(..taken).unwrap_or_default());
            if self.unread.is_empty() {
                // Read to its end it would still hold its memory, 15 KiB perhaps, for as long as the peer is silent.
                *self.unread = Bytes::new();
            }
            *self.taken_bytes += taken;
            return Ok(taken);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut read = ReadBuf::new(&mut scratch.read);
            let stream = &mut self.lane.0.borrow_mut().stream;
            match Pin::new(stream).poll_read(self.cx, &mut read) {
                Poll::Ready(done) => done?,
                Poll::Pending => return Err(ErrorKind::WouldBlock.into()),
            }
            let mut filled = read.filled();
            let taken = filled.len().min(buf.len());
            filled.copy_to_slice(buf.get_mut(..taken).unwrap_or_default());
            if !filled.is_empty() {
                *self.unread = Bytes::copy_from_slice(filled);
            }
            *self.taken_bytes += taken;
            Ok(taken)
        })
    }
}

impl Write for Pipe<'_, '_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.lane.0.borrow_mut().out.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
