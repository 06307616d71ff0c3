//! A WebSocket in motion: frames in, frames out, one small task.
mod reader;
mod wire;

use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use hyper_tungstenite::tungstenite::{
    Error, Message,
    error::ProtocolError,
    protocol::{
        CloseFrame,
        frame::{Frame, coding::CloseCode},
    },
};
use session::{Outgoing, Sink, WsPort};
use tokio::time::{Sleep, sleep, timeout};

pub(crate) use self::wire::poll_read_some;
use self::{
    reader::Reader,
    wire::{Lane, OUT_BYTES_HIGH},
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
    lane: Rc<Lane>,
    reader: Reader,
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
        Self {
            lane: Rc::new(Lane::new(stream)),
            reader: Reader::new(early),
            stalled: None,
            limits,
            _lease: lease,
        }
    }

    /// Writes these bytes before any frame, and with the first ones: an answer that is not sent yet.
    pub(crate) fn say_first(&mut self, bytes: &[u8]) {
        self.lane.queue_bytes(bytes);
    }

    /// Carries frames between the peer and its session until one of them ends.
    pub(crate) fn carry(self, port: WsPort) -> Carry {
        port.set_sink(Rc::clone(&self.lane) as Rc<dyn session::Sink>);
        Carry(Stage::Open(self, port))
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
        self.lane.queue(Frame::close(close));
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
            if ready!(self.lane.poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            self.lane.poll_discard(cx)
        });
        if timeout(limit, ending).await.is_err() {
            tracing::debug!("a WebSocket's peer did not end after a close frame");
        }
    }

    fn poll_carry(&mut self, port: &mut WsPort, cx: &mut Context<'_>) -> Poll<End> {
        port.attend();
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
            // What this turn brought is written with what all other turns did.
            if matches!(received, Received::Nothing) && self.lane.is_clear() && port.leave(cx) {
                return Poll::Pending;
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
        if self.lane.queued_bytes() >= OUT_BYTES_HIGH {
            return Received::PutOff;
        }
        if port.poll_ready(cx).is_pending() {
            return Received::Nothing;
        }
        let limit = self.limits.message_bytes_max;
        match self.reader.read(&self.lane, limit, cx) {
            Ok(Message::Text(text)) => port.receive_text(text.into()),
            Ok(Message::Binary(bytes)) => port.receive_binary(bytes),
            Ok(Message::Ping(_) | Message::Pong(_)) => port.receive_pong(),
            Ok(Message::Close(_)) => {
                port.receive_close();
                return Received::End(End::Replied);
            }
            Ok(Message::Frame(_)) => unreachable!("never read"),
            Err(e) => return Received::from_error(&e),
        }
        Received::Message
    }

    /// `Ready(None)`: the session has nothing more for now and all of it is written.
    fn poll_send(&mut self, port: &mut WsPort, cx: &mut Context<'_>) -> Poll<Option<End>> {
        loop {
            let (mut is_drained, mut close) = (false, None);
            let mut next = || match port.poll_outgoing(cx) {
                Poll::Ready(Outgoing::Close(code)) => {
                    close = Some(code);
                    None
                }
                Poll::Ready(frame) => Some(frame),
                Poll::Pending => {
                    is_drained = true;
                    None
                }
            };
            // Mostly all of it goes out at once, without having been in a buffer of this WebSocket's own.
            if !self.lane.write(&mut next) {
                while self.lane.queued_bytes() < OUT_BYTES_HIGH
                    && let Some(frame) = next()
                {
                    self.lane.queue(wire::frame(frame));
                }
            }
            if let Some(code) = close {
                return Poll::Ready(Some(End::Close(code)));
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

    /// Writes all there is. Fails, too, when the peer took nothing for too long.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (progress, written) = self.lane.poll_write(cx);
        if progress {
            self.stalled = None;
        }
        match written {
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => self.poll_stalled(cx),
        }
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let limit = self.limits.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the peer takes nothing")))
    }
}

/// A WebSocket's task. By hand, because an async function holds what it is given twice, and there is one of these for every
/// WebSocket, idle or not.
pub(crate) struct Carry(Stage);

enum Stage {
    Open(Socket, WsPort),
    Ending(LocalBoxFuture<'static, ()>),
    Ended,
}

impl Future for Carry {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let stage = &mut self.get_mut().0;
        if let Stage::Open(socket, port) = stage {
            let end = ready!(socket.poll_carry(port, cx));
            // With the port: the session need not wait for a handshake that says nothing more.
            let Stage::Open(mut socket, _) = std::mem::replace(stage, Stage::Ended) else {
                unreachable!("looked at above");
            };
            *stage = match end {
                End::Lost => Stage::Ended,
                End::Replied => Stage::Ending(Box::pin(async move { socket.finish().await })),
                End::Close(code) => Stage::Ending(Box::pin(async move { socket.close(code).await })),
            };
        }
        match stage {
            Stage::Ending(ending) => ending.as_mut().poll(cx),
            Stage::Open(..) | Stage::Ended => Poll::Ready(()),
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

/// Taken in before answers are written: several answers then share a write.
const MESSAGES_AT_ONCE: usize = 32;

#[cfg(test)]
mod tests;
