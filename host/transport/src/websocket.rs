//! A WebSocket in motion: frames in, frames out, one small task.
use std::{
    future::poll_fn,
    io::{self, ErrorKind, Read, Write},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hyper_tungstenite::tungstenite::{
    Error, Message,
    error::ProtocolError,
    protocol::{
        CloseFrame, Role, WebSocketConfig, WebSocketContext,
        frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};
use session::{Outgoing, WsPort};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep, timeout},
};

use crate::{accept::Lease, service::Visit, stream::Stream};

/// What a WebSocket may take, in bytes and time.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    message_bytes_max: usize,
    write_timeout: Duration,
    close_timeout: Duration,
}

/// An accepted WebSocket that has no session yet.
pub(crate) struct Socket {
    stream: Stream,
    context: WebSocketContext,
    /// Frames on their way. Holds at most [`OUT_BYTES_HIGH`] and one frame more.
    out: BytesMut,
    /// Written, but perhaps not flushed: TLS holds bytes back.
    unflushed: bool,
    /// Runs while the peer takes nothing. Most sockets never have one.
    stalled: Option<Pin<Box<Sleep>>>,
    limits: Limits,
    _lease: Arc<Lease>,
}

impl Limits {
    pub(crate) fn new(visit: &Visit) -> Self {
        let config = &visit.client.site.config;
        Self {
            message_bytes_max: visit.app.settings.engine.max_payload_bytes,
            write_timeout: config.write_timeout,
            close_timeout: config.close_timeout,
        }
    }
}

impl Socket {
    /// `early`: bytes that came with the request.
    pub(crate) fn new(stream: Stream, early: &Bytes, limits: Limits, lease: Arc<Lease>) -> Self {
        // Fragments are added up against the same limit: a flood of tiny ones costs no memory but their bytes.
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(OUT_BYTES_HIGH)
            .max_message_size(Some(limits.message_bytes_max))
            .max_frame_size(Some(limits.message_bytes_max))
            .accept_unmasked_frames(false);
        let context = WebSocketContext::from_partially_read(early.to_vec(), Role::Server, Some(config));
        Self {
            stream,
            context,
            out: BytesMut::new(),
            unflushed: false,
            stalled: None,
            limits,
            _lease: lease,
        }
    }

    /// Carries frames between the peer and its session until one of them ends.
    pub(crate) async fn carry(mut self, mut port: WsPort) {
        let end = poll_fn(|cx| self.poll_carry(&mut port, cx)).await;
        // The session need not wait for a handshake that says nothing more.
        drop(port);
        match end {
            End::Lost => {}
            // Boxed: until then the task is small.
            End::Replied => Box::pin(self.finish()).await,
            End::Close(code) => Box::pin(self.close(code)).await,
        }
    }

    /// Ends without ever having carried anything.
    pub(crate) async fn turn_away(mut self, code: Option<u16>) {
        self.close(code).await;
    }

    /// Sends a close frame, without a code if `None`, and ends.
    async fn close(&mut self, code: Option<u16>) {
        let close = code.map(|code| CloseFrame {
            code: CloseCode::from(code),
            reason: "".into(),
        });
        self.queue(Frame::close(close));
        self.finish().await;
    }

    /// Writes what is left, then waits a while for the peer to end: unread bytes would turn our close frame into
    /// a reset.
    async fn finish(&mut self) {
        let limit = self.limits.close_timeout;
        let ending = poll_fn(|cx| {
            if ready!(self.poll_write(cx)).is_err() {
                return Poll::Ready(());
            }
            if ready!(Pin::new(&mut self.stream).poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            self.poll_discard(cx)
        });
        if timeout(limit, ending).await.is_err() {
            tracing::debug!("a WebSocket's peer did not end after a close frame");
        }
    }

    fn poll_carry(&mut self, port: &mut WsPort, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let mut received = Received::Message;
            for _ in 0..MESSAGES_AT_ONCE {
                received = self.receive(port, cx);
                if !matches!(received, Received::Message) {
                    break;
                }
            }
            if let Received::End(end) = received {
                return Poll::Ready(end);
            }
            match self.poll_send(port, cx) {
                Poll::Ready(Some(end)) => return Poll::Ready(end),
                // All is written; reading that was put off for it may go on.
                Poll::Ready(None) if matches!(received, Received::PutOff) => {}
                Poll::Ready(None) | Poll::Pending => match received {
                    Received::Message => {}
                    _ => return Poll::Pending,
                },
            }
        }
    }

    /// Takes one message in.
    fn receive(&mut self, port: &mut WsPort, cx: &mut Context<'_>) -> Received {
        if self.out.len() >= OUT_BYTES_HIGH {
            return Received::PutOff;
        }
        if port.poll_ready(cx).is_pending() {
            return Received::Nothing;
        }
        let mut pipe = Pipe {
            stream: &mut self.stream,
            out: &mut self.out,
            cx,
        };
        match self.context.read(&mut pipe) {
            Ok(Message::Text(text)) => port.receive_text(text.into()),
            Ok(Message::Binary(bytes)) => port.receive_binary(bytes),
            Ok(Message::Pong(_)) => port.receive_pong(),
            // The library's answer is queued by its next read, which may be long in coming.
            Ok(answered @ (Message::Ping(_) | Message::Close(_))) => {
                let flushed = self.context.flush(&mut pipe);
                match answered {
                    Message::Close(_) => port.receive_close(),
                    _ => port.receive_pong(),
                }
                if let Err(e) = flushed {
                    return Received::from_error(&e);
                }
            }
            Ok(Message::Frame(_)) => unreachable!("never read"),
            Err(e) => return Received::from_error(&e),
        }
        Received::Message
    }

    /// `Ready(None)`: the session has nothing more for now and all of it is written.
    fn poll_send(&mut self, port: &mut WsPort, cx: &mut Context<'_>) -> Poll<Option<End>> {
        loop {
            let mut is_drained = false;
            while !is_drained && self.out.len() < OUT_BYTES_HIGH {
                match port.poll_outgoing(cx) {
                    Poll::Ready(Outgoing::Text(text)) => {
                        self.queue(Frame::message(text, OpCode::Data(Data::Text), true));
                    }
                    Poll::Ready(Outgoing::Binary(bytes)) => {
                        self.queue(Frame::message(bytes, OpCode::Data(Data::Binary), true));
                    }
                    Poll::Ready(Outgoing::Ping) => self.queue(Frame::ping(Bytes::new())),
                    Poll::Ready(Outgoing::Close(code)) => return Poll::Ready(Some(End::Close(code))),
                    Poll::Pending => is_drained = true,
                }
            }
            match ready!(self.poll_write(cx)) {
                Err(e) => {
                    tracing::debug!(error = %e, "WebSocket lost");
                    return Poll::Ready(Some(End::Lost));
                }
                Ok(()) if is_drained => return Poll::Ready(None),
                Ok(()) => {}
            }
        }
    }

    fn queue(&mut self, frame: Frame) {
        let written = frame.format(&mut (&mut self.out).writer());
        assert!(written.is_ok(), "memory takes every frame");
    }

    /// Writes all there is. Fails, too, when the peer took nothing for too long.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.out) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.out.advance(written);
                    self.unflushed = true;
                    self.stalled = None;
                }
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => return self.poll_stalled(cx),
            }
        }
        if self.unflushed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(flushed) => flushed?,
                Poll::Pending => return self.poll_stalled(cx),
            }
            self.unflushed = false;
            self.stalled = None;
            // An idle connection keeps no buffer.
            self.out = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let limit = self.limits.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the peer takes nothing")))
    }

    /// Reads to the end, for nothing.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut bytes = [0; 1024];
            let mut bytes = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut bytes)) {
                Ok(()) if !bytes.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}

/// How a WebSocket ends.
enum End {
    /// The connection is gone.
    Lost,
    /// The peer closed, and the library's answer is queued.
    Replied,
    /// We close, with this code or without one.
    Close(Option<u16>),
}

enum Received {
    Message,
    /// Nothing more for now; a waker is set.
    Nothing,
    /// Not asked, because too much waits to be written.
    PutOff,
    End(End),
}

impl Received {
    fn from_error(error: &Error) -> Self {
        let code = match error {
            Error::Io(e) if e.kind() == ErrorKind::WouldBlock => return Self::Nothing,
            Error::ConnectionClosed => return Self::End(End::Replied),
            Error::Capacity(_) => CloseCode::Size,
            Error::Utf8(_) => CloseCode::Invalid,
            Error::Protocol(e) if *e != ProtocolError::ResetWithoutClosingHandshake => CloseCode::Protocol,
            _ => {
                tracing::debug!(%error, "WebSocket lost");
                return Self::End(End::Lost);
            }
        };
        tracing::debug!(%error, "WebSocket closed for what its peer sent");
        Self::End(End::Close(Some(code.into())))
    }
}

/// The stream as the library sees it: reads go to the socket, writes (pongs and replies to close frames, which it
/// makes by itself) to the queue that everything else goes through.
struct Pipe<'a, 'cx> {
    stream: &'a mut Stream,
    out: &'a mut BytesMut,
    cx: &'a mut Context<'cx>,
}

impl Read for Pipe<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        match Pin::new(&mut *self.stream).poll_read(self.cx, &mut buf) {
            Poll::Ready(read) => read.map(|()| buf.filled().len()),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Pipe<'_, '_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.out.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Allocated for every WebSocket, idle or not.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// When so much waits to be written, no more is taken from the session and nothing is read that would need answers.
const OUT_BYTES_HIGH: usize = 16 * 1024;
/// Taken in before answers are written: several answers then share a write.
const MESSAGES_AT_ONCE: usize = 32;
