use std::time::Instant;

use bytes::Bytes;

use super::{CloseReason, Connection, Output, Phase, frame, polling::Upgrade};
use crate::{
    packet::{ClientPacket, Message},
    refusal::Refusal,
    settings::Settings,
};

impl Connection {
    /// A WebSocket with this session's sid was accepted: it is attached and probes until it upgrades.
    ///
    /// An error means that it is not attached (there is one already, or the session is over): close it, after the
    /// 101, without a code. The session goes on as it was.
    pub fn handle_websocket(&mut self, settings: &Settings, now: Instant) -> Result<(), Refusal> {
        match &mut self.phase {
            Phase::Polling(polling) if polling.upgrade.is_none() && settings.websocket => {
                polling.upgrade = Some(Box::new(Upgrade {
                    until: (now + settings.upgrade_timeout).into(),
                    probed: false,
                }));
                Ok(())
            }
            Phase::Polling(_) | Phase::WebSocket | Phase::Closing { .. } | Phase::Closed(_) => {
                Err(Refusal::BadRequest)
            }
        }
    }

    /// A text frame arrived on the attached WebSocket.
    pub fn handle_text(&mut self, settings: &Settings, text: Bytes, now: Instant) {
        self.flush();
        let packet = ClientPacket::decode(text);
        match &mut self.phase {
            Phase::WebSocket => self.handle_packet(settings, packet, now),
            Phase::Polling(polling) => {
                let Some(upgrade) = &mut polling.upgrade else {
                    return;
                };
                match packet {
                    Ok(ClientPacket::Ping(data)) if data == "probe" => {
                        upgrade.probed = true;
                        self.outputs.push(Output::Text(PROBE_ANSWER));
                        // The client completes the upgrade only when no GET of its own is pending.
                        self.release_get();
                    }
                    Ok(ClientPacket::Upgrade) => self.complete_upgrade(),
                    _ => self.detach_probe(),
                }
            }
            Phase::Closing { .. } | Phase::Closed(_) => {}
        }
    }

    pub fn handle_binary(&mut self, _settings: &Settings, bytes: Bytes, _now: Instant) {
        self.flush();
        match &self.phase {
            Phase::WebSocket => self.outputs.push(Output::Message(Message::Binary(bytes))),
            Phase::Polling(_) => self.detach_probe(),
            Phase::Closing { .. } | Phase::Closed(_) => {}
        }
    }

    /// The attached WebSocket is gone; `clean` if by a close frame.
    pub fn handle_websocket_gone(&mut self, _settings: &Settings, clean: bool, _now: Instant) {
        match &mut self.phase {
            Phase::Polling(polling) => polling.upgrade = None,
            Phase::WebSocket => {
                let reason = if clean {
                    CloseReason::ClientClose
                } else {
                    CloseReason::TransportError
                };
                self.end(reason);
            }
            Phase::Closing { .. } | Phase::Closed(_) => {}
        }
    }

    /// From here on packets go by WebSocket: first those that waited for a poll.
    fn complete_upgrade(&mut self) {
        self.release_get();
        self.phase = Phase::WebSocket;
        for packet in self.queue.take() {
            self.outputs.push(frame(packet));
        }
    }

    /// Closes the probing WebSocket; polling goes on.
    fn detach_probe(&mut self) {
        if let Phase::Polling(polling) = &mut self.phase
            && polling.take_upgrade()
        {
            self.outputs.push(Output::CloseWebSocket(None));
        }
    }
}

const PROBE_ANSWER: Bytes = Bytes::from_static(b"3probe");
