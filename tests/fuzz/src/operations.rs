use std::time::Duration;

use bytes::Bytes;
use engineio::{
    ClientPacket, CloseReason, Connection, Message, Output, Packet, Settings, Transport, payload,
};

/// Any sequence of operations, one byte (and for bodies their bytes) each: no panic, nothing after `Closed`, no
/// poll answered twice, nobody left waiting, and packets arrive in the order in which they were sent.
pub fn engineio_operations(data: &[u8]) {
    let Some((via, mut operations)) = data.split_first() else {
        return;
    };
    let via = if via % 2 == 0 {
        Transport::Polling
    } else {
        Transport::WebSocket
    };
    let settings = settings();
    let mut now = crate::start();
    let mut connection = Connection::new("sid", &settings, via, now);
    let polling = via == Transport::Polling;
    let mut client = Client {
        get_pending: polling,
        attached: !polling,
        closed: false,
        received: 0,
    };
    client.drain(&mut connection);
    let mut sent = 0_u64;
    while let Some((operation, rest)) = operations.split_first() {
        operations = rest;
        match operation % 16 {
            0 | 1 => {
                let accepted = connection.handle_poll(&settings, now).is_ok();
                assert!(!(accepted && client.get_pending), "two polls pending");
                client.get_pending |= accepted;
            }
            2 if client.get_pending => {
                client.get_pending = false;
                connection.handle_poll_gone(&settings, now);
            }
            3 => {
                let length = (usize::from(operation / 16)).min(operations.len());
                let (body, rest) = operations.split_at(length);
                operations = rest;
                let _ = connection.handle_post(&settings, &Bytes::copy_from_slice(body), now);
            }
            4 | 5 => {
                let accepted = connection.handle_websocket(&settings, now).is_ok();
                assert!(!(accepted && client.attached), "two WebSockets attached");
                client.attached |= accepted;
            }
            6 if client.attached => {
                client.attached = false;
                connection.handle_websocket_gone(&settings, operation / 16 % 2 == 0, now);
            }
            7 => connection.handle_text(&settings, "2probe".into(), now),
            8 => connection.handle_text(&settings, "5".into(), now),
            9 => connection.handle_text(&settings, "3".into(), now),
            10 => connection.handle_text(&settings, (operation / 16).to_string().into(), now),
            11 => connection.handle_binary(&settings, "x".into(), now),
            12 | 13 => {
                for _ in 0..=operation / 64 {
                    connection.send(&settings, &Packet::Text(format!("4{sent}").into()), now);
                    sent += 1;
                }
            }
            14 => {
                now += Duration::from_millis(50 << (operation / 16));
                connection.handle_timeout(&settings, now);
            }
            15 if operation / 16 == 0 => connection.close(&settings, CloseReason::ServerClose, now),
            _ => {}
        }
        client.drain(&mut connection);
        assert!(!client.closed || (connection.is_closed() && connection.timeout().is_none()));
    }
}

/// What the other side knows.
struct Client {
    get_pending: bool,
    attached: bool,
    closed: bool,
    /// The number that is to come next.
    received: u64,
}

impl Client {
    fn drain(&mut self, connection: &mut Connection) {
        while let Some(output) = connection.poll_output() {
            self.see(output);
        }
    }

    fn see(&mut self, output: Output) {
        assert!(!self.closed, "{output:?} after Closed");
        match output {
            Output::Poll(body) => {
                assert!(self.get_pending, "a poll answered twice, or that was none");
                self.get_pending = false;
                payload::decode(&body).for_each(|packet| self.receive(packet.expect("our own payload")));
            }
            Output::Text(frame) => {
                assert!(self.attached, "a frame without a WebSocket");
                self.receive(ClientPacket::decode(frame).expect("our own frame"));
            }
            Output::Binary(_) => assert!(self.attached, "a frame without a WebSocket"),
            Output::CloseWebSocket(_) => {
                assert!(self.attached, "closed without a WebSocket");
                self.attached = false;
            }
            Output::Message(_) => {}
            Output::Closed(_) => {
                assert!(!self.get_pending && !self.attached, "somebody was left waiting");
                self.closed = true;
            }
        }
    }

    fn receive(&mut self, packet: ClientPacket) {
        if let ClientPacket::Message(Message::Text(number)) = packet {
            assert_eq!(number, self.received.to_string(), "lost, doubled or out of order");
            self.received += 1;
        }
    }
}

fn settings() -> Settings {
    Settings {
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(20),
        upgrade_timeout: Duration::from_secs(10),
        max_payload_bytes: 1000,
        polling: true,
        websocket: true,
        queue_bytes_max: 100,
    }
}
