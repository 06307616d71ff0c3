//! Messages in. A WebSocket keeps the library's state, half a kilobyte with its buffer, only while it is amid a message: between
/// two of them that state is as good as any other's, and all WebSockets of a core share one.
use std::{cell::Cell, io::ErrorKind, task::Context};

use bytes::Bytes;
use hyper_tungstenite::tungstenite::{
    Error, Message,
    protocol::{Role, WebSocketConfig, WebSocketContext},
};

use super::wire::{Lane, OUT_BYTES_HIGH, Pipe};

/// What a WebSocket's peer sends, as messages.
pub(super) struct Reader {
    /// The library's state, where it is not that of a WebSocket between two messages.
    amid: Option<Box<State>>,
    /// What the library took, less what the messages that it gave have taken at least: 0 between two messages, and only there.
    /// A message in fragments, or with its length written longer than need be, leaves a rest for good: such a WebSocket keeps its state.
    taken_bytes: usize,
    /// Read, and not yet given to the library.
    unread: Bytes,
}

struct State {
    context: WebSocketContext,
    /// Its buffer has held a message larger than it is to be.
    has_grown: bool,
}

thread_local! {
    /// A state between two messages, for whoever reads next.
    static SPARE: Cell<Option<Box<State>>> = const { Cell::new(None) };
}

impl Reader {
    /// `early`: bytes that came with the request. Copied, for what they are a part of is hyper's buffer, 16 KiB and no less.
    pub(super) fn new(early: &Bytes) -> Self {
        Self {
            amid: None,
            taken_bytes: 0,
            unread: Bytes::copy_from_slice(early),
        }
    }

    /// The next message, of `bytes_max` at most; an error of kind `WouldBlock` where there is none yet. A ping and a close
    /// have been answered, into `lane`. Nothing is to be read after a close, or another error.
    pub(super) fn read(
        &mut self,
        lane: &Lane,
        bytes_max: usize,
        cx: &mut Context<'_>,
    ) -> Result<Message, Error> {
        let mut state = self.amid.take().unwrap_or_else(|| fresh(bytes_max));
        let mut pipe = Pipe {
            lane,
            unread: &mut self.unread,
            taken_bytes: &mut self.taken_bytes,
            cx,
        };
        let read = state.context.read(&mut pipe);
        match &read {
            Ok(message) => {
                if message.is_ping() || message.is_close() {
                    // The library would send its answer with its next read, which may be long in coming.
                    let flushed = state.context.flush(&mut pipe);
                    if message.is_close() {
                        return read;
                    }
                    flushed?;
                }
                self.taken_bytes -= frame_bytes(message.len());
                state.has_grown |= message.len() > READ_BUFFER_BYTES;
            }
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return read,
        }
        if self.taken_bytes > 0 {
            self.amid = Some(state);
        } else if !state.has_grown {
            SPARE.set(Some(state));
        }
        read
    }
}

/// What a message of so many bytes takes on the wire, at least: one frame, masked, its length written as short as it can be.
fn frame_bytes(payload_bytes: usize) -> usize {
    let head = match payload_bytes {
        0..126 => 2,
        126..65_536 => 4,
        _ => 10,
    };
    head + MASK_BYTES + payload_bytes
}

/// A state between two messages.
fn fresh(bytes_max: usize) -> Box<State> {
    // Fragments are added up against the same limit: a flood of tiny ones costs no memory but their bytes.
    let limits = |config: WebSocketConfig| {
        config
            .max_message_size(Some(bytes_max))
            .max_frame_size(Some(bytes_max))
    };
    if let Some(mut state) = SPARE.take() {
        state.context.set_config(|config| *config = limits(*config));
        return state;
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(OUT_BYTES_HIGH)
        .accept_unmasked_frames(false);
    Box::new(State {
        context: WebSocketContext::new(Role::Server, Some(limits(config))),
        has_grown: false,
    })
}

/// Of the state that is shared. Messages are slices of it, and it is made anew when it is used up and one of them still lives:
/// one in a dozen small ones pays for it, and the one that is kept longest keeps no more than this. What is read goes through a
/// buffer of 16 KiB first, so that one system call takes more.
const READ_BUFFER_BYTES: usize = 1024;
const MASK_BYTES: usize = 4;
