use std::time::{Duration, Instant};

use bytes::Bytes;
use compact::Moment;

use super::{CloseReason, Connection, Output, Phase, queue::PAYLOAD_PACKETS_MAX};
use crate::{
    packet::{ClientPacket, Packet},
    payload,
    refusal::Refusal,
    settings::Settings,
};

/// Packets go by polls.
#[derive(Debug, Default)]
pub(super) struct Polling {
    /// The pending GET: set by `handle_poll`, ended by an answer or an abort.
    pub(super) get: Option<Get>,
    /// The WebSocket that probes: set by `handle_websocket`, ended by `5`, a mistake, its end or the time-out.
    /// Boxed: few sessions have one, and none for long.
    pub(super) upgrade: Option<Box<Upgrade>>,
}

#[derive(Debug)]
pub(super) struct Get {
    /// While an upgrade is under way the client waits for its poll to end: it gets a noop at this time.
    pub(super) noop_at: Option<Moment>,
}

#[derive(Debug)]
pub(super) struct Upgrade {
    pub(super) until: Moment,
    /// Whether `3probe` was sent.
    pub(super) probed: bool,
}

impl Polling {
    pub(super) fn has_get(&self) -> bool {
        self.get.is_some()
    }

    pub(super) fn take_get(&mut self) -> bool {
        self.get.take().is_some()
    }

    pub(super) fn take_upgrade(&mut self) -> bool {
        self.upgrade.take().is_some()
    }

    pub(super) fn timeout(&self) -> Option<Moment> {
        let noop_at = self.get.as_ref().and_then(|get| get.noop_at);
        let until = self.upgrade.as_ref().map(|upgrade| upgrade.until);
        noop_at.into_iter().chain(until).min()
    }
}

impl Connection {
    /// A GET arrived. A second one at once is [`Refusal::Broken`] and closes the session.
    pub fn handle_poll(&mut self, _settings: &Settings, now: Instant) -> Result<(), Refusal> {
        self.flush();
        match &mut self.phase {
            Phase::Polling(polling) if polling.has_get() => {
                self.finish(CloseReason::ParseError, &Packet::CLOSE);
                Err(Refusal::Broken)
            }
            Phase::Polling(polling) => {
                let probed = polling.upgrade.as_ref().is_some_and(|upgrade| upgrade.probed);
                polling.get = Some(Get {
                    noop_at: probed.then(|| (now + NOOP_DELAY).into()),
                });
                Ok(())
            }
            Phase::WebSocket => Err(Refusal::BadRequest),
            Phase::Closing { reason, .. } => {
                let reason = *reason;
                if self.queue.is_empty() {
                    self.queue.push(Packet::NOOP);
                }
                if reason != CloseReason::ClientClose {
                    self.queue.push(Packet::CLOSE);
                }
                let last = self.queue.len() <= PAYLOAD_PACKETS_MAX;
                self.outputs.push(Output::Poll(self.queue.take_payload()));
                if last {
                    self.end(reason);
                }
                Ok(())
            }
            Phase::Closed(_) => Err(Refusal::SessionUnknown),
        }
    }

    /// The pending GET was aborted by the client.
    pub fn handle_poll_gone(&mut self, _settings: &Settings, _now: Instant) {
        if let Phase::Polling(polling) = &mut self.phase
            && polling.take_get()
        {
            self.finish(CloseReason::TransportError, &Packet::CLOSE);
        }
    }

    /// A POST's whole body arrived. `Ok` is answered `ok` even where the body ended the session, as the reference
    /// server does; an output tells.
    ///
    /// A body of n bytes makes at most n/2 outputs: with the default 1 MB that is 20 MB for the moment of one call.
    pub fn handle_post(&mut self, settings: &Settings, body: &Bytes, now: Instant) -> Result<(), Refusal> {
        self.flush();
        match &self.phase {
            Phase::WebSocket => return Err(Refusal::BadRequest),
            Phase::Closed(_)
            | Phase::Closing {
                reason: CloseReason::ClientClose,
                ..
            } => {
                return Err(Refusal::SessionUnknown);
            }
            Phase::Polling(_) | Phase::Closing { .. } => {}
        }
        if body.len() > settings.max_payload_bytes {
            return Err(Refusal::TooLarge);
        }
        for packet in payload::decode(body) {
            match &self.phase {
                Phase::Polling(_) => self.handle_packet(settings, packet, now),
                // Closed here already: only the client's own close is of interest, it spares the wait.
                Phase::Closing { reason, .. } if packet == Ok(ClientPacket::Close) => {
                    self.finish(*reason, &Packet::NOOP);
                }
                Phase::Closing { .. } | Phase::WebSocket | Phase::Closed(_) => {}
            }
        }
        Ok(())
    }

    /// Answers the pending GET with all that waits, if there is both.
    pub(super) fn flush(&mut self) {
        if let Phase::Polling(polling) = &mut self.phase
            && !self.queue.is_empty()
            && polling.take_get()
        {
            self.outputs.push(Output::Poll(self.queue.take_payload()));
        }
    }

    /// Answers the pending GET, if any, with a noop. What waits goes first: call `flush` before.
    pub(super) fn release_get(&mut self) {
        if let Phase::Polling(polling) = &mut self.phase
            && polling.take_get()
        {
            self.queue.push(Packet::NOOP);
            self.outputs.push(Output::Poll(self.queue.take_payload()));
        }
    }

    pub(super) fn handle_polling_timeout(&mut self, now: Instant) {
        let Phase::Polling(polling) = &mut self.phase else {
            return;
        };
        let now = Moment::from(now);
        let noop_at = polling.get.as_ref().and_then(|get| get.noop_at);
        if polling
            .upgrade
            .as_ref()
            .is_some_and(|upgrade| now >= upgrade.until)
        {
            polling.upgrade = None;
            self.outputs.push(Output::CloseWebSocket(None));
        }
        if noop_at.is_some_and(|at| now >= at) {
            self.release_get();
        }
    }
}

/// The reference server looks for a poll to release at this interval while an upgrade is under way.
const NOOP_DELAY: Duration = Duration::from_millis(100);
