use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::{settings, start, text};
use crate::{ClientPacket, CloseReason, Connection, Message, Output, Packet, Settings, Transport, payload};

#[derive(Clone, Debug)]
enum Operation {
    Get,
    GetGone,
    Post(Vec<u8>),
    WebSocket,
    WebSocketGone(bool),
    Text(String),
    Binary(Vec<u8>),
    /// Sends the next numbers, so many before anything is drained.
    Send(usize),
    SendBinary,
    Close,
    Wait(u64),
}

fn operation() -> impl Strategy<Value = Operation> {
    let frame = prop::sample::select(vec![
        "2probe", "5", "3", "4x", "6", "2", "1", "", "bAQI=", "b!", "\u{e9}",
    ]);
    let body = prop_oneof![
        4 => prop::collection::vec(frame.clone(), 0..4).prop_map(|frames| frames.join("\x1e").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop_oneof![
        6 => Just(Operation::Get),
        1 => Just(Operation::GetGone),
        3 => body.prop_map(Operation::Post),
        4 => Just(Operation::WebSocket),
        1 => any::<bool>().prop_map(Operation::WebSocketGone),
        4 => prop::sample::select(vec!["2probe", "5", "3"]).prop_map(|frame| Operation::Text(frame.to_owned())),
        2 => frame.prop_map(|frame| Operation::Text(frame.to_owned())),
        1 => prop::collection::vec(any::<u8>(), 0..4).prop_map(Operation::Binary),
        8 => (1_usize..4).prop_map(Operation::Send),
        1 => Just(Operation::SendBinary),
        1 => Just(Operation::Close),
        4 => (0_u64..30_000).prop_map(Operation::Wait),
    ]
}

/// What a client and a driver see of a session, and what must hold of it whatever happens.
#[derive(Default)]
struct Witness {
    get_pending: bool,
    attached: bool,
    closed: bool,
    /// Numbers received, in order of arrival.
    received: Vec<u64>,
}

impl Witness {
    fn see(&mut self, output: Output) {
        assert!(!self.closed, "output after Closed: {output:?}");
        match output {
            Output::Poll(body) => {
                assert!(self.get_pending, "a poll answered twice, or that was none");
                self.get_pending = false;
                payload::decode(&body).for_each(|packet| self.receive(packet.unwrap()));
            }
            Output::Text(frame) => {
                assert!(self.attached, "a frame without a WebSocket");
                self.receive(ClientPacket::decode(frame).unwrap_or(ClientPacket::Noop));
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
            self.received
                .push(std::str::from_utf8(&number).unwrap().parse().unwrap());
        }
    }
}

fn run(via: Transport, settings: &Settings, operations: &[Operation]) {
    let mut now = start();
    let mut connection = Connection::new("sid", settings, via, now);
    let polling = via == Transport::Polling;
    let mut witness = Witness {
        get_pending: polling,
        attached: !polling,
        ..Witness::default()
    };
    let mut sent = 0_u64;
    while let Some(output) = connection.poll_output() {
        witness.see(output);
    }
    for operation in operations {
        match operation {
            Operation::Get => {
                let pending = witness.get_pending;
                let accepted = connection.handle_poll(settings, now).is_ok();
                assert!(!(accepted && pending), "two polls pending");
                witness.get_pending |= accepted;
            }
            Operation::GetGone if witness.get_pending => {
                witness.get_pending = false;
                connection.handle_poll_gone(settings, now);
            }
            Operation::Post(body) => {
                let _ = connection.handle_post(settings, &body.clone().into(), now);
            }
            Operation::WebSocket => {
                let accepted = connection.handle_websocket(settings, now).is_ok();
                assert!(!(accepted && witness.attached), "two WebSockets attached");
                witness.attached |= accepted;
            }
            Operation::WebSocketGone(clean) if witness.attached => {
                witness.attached = false;
                connection.handle_websocket_gone(settings, *clean, now);
            }
            Operation::Text(frame) => connection.handle_text(settings, frame.clone().into(), now),
            Operation::Binary(frame) => connection.handle_binary(settings, frame.clone().into(), now),
            Operation::Send(count) => {
                for _ in 0..*count {
                    connection.send(settings, &text(&sent.to_string()), now);
                    sent += 1;
                }
            }
            Operation::SendBinary => {
                connection.send(settings, &Packet::Binary(Bytes::from_static(b"x")), now);
            }
            Operation::Close => connection.close(settings, CloseReason::ServerClose, now),
            Operation::Wait(ms) => {
                now += Duration::from_millis(*ms);
                connection.handle_timeout(settings, now);
            }
            Operation::GetGone | Operation::WebSocketGone(_) => {}
        }
        while let Some(output) = connection.poll_output() {
            witness.see(output);
        }
        assert!(!witness.closed || (connection.is_closed() && connection.timeout().is_none()));
    }
    let kept = witness
        .received
        .iter()
        .enumerate()
        .all(|(index, number)| index as u64 == *number);
    assert!(kept, "lost, doubled or out of order: {:?}", witness.received);
    assert!(size_of_val(&connection) <= 96);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_operations(polling in any::<bool>(), operations in prop::collection::vec(operation(), 0..60)) {
        let via = if polling { Transport::Polling } else { Transport::WebSocket };
        run(via, &settings(), &operations);
    }

    #[test]
    fn decoding_anything(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let packets: Vec<_> = payload::decode(&body.into()).collect();
        prop_assert!(!packets.is_empty());
        prop_assert!(packets.iter().rev().skip(1).all(Result::is_ok));
    }

    #[test]
    fn payload_roundtrip(messages in prop::collection::vec(message(), 1..10)) {
        let packets: Vec<Packet> = messages.iter().map(packet).collect();
        let body = payload::encode(packets.iter());
        let decoded: Result<Vec<_>, _> = payload::decode(&body).collect();
        let expected: Vec<_> = messages.into_iter().map(ClientPacket::Message).collect();
        prop_assert_eq!(decoded, Ok(expected));
    }
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        "[^\u{1e}]{0,20}".prop_map(|text| Message::Text(text.into())),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Message::Binary(bytes.into())),
    ]
}

fn packet(message: &Message) -> Packet {
    match message {
        Message::Text(data) => text(std::str::from_utf8(data).unwrap()),
        Message::Binary(bytes) => Packet::Binary(bytes.clone()),
    }
}
