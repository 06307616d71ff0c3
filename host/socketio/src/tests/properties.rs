use bytes::Bytes;
use engineio::{Message, Packet};
use proptest::prelude::*;

use super::Run;
use crate::{EventData, Output, encode};

#[derive(Clone, Debug)]
enum Operation {
    Text(String),
    Bytes(Vec<u8>),
    Binary,
    Accept(&'static str),
    Remove(&'static str),
    Timeout,
}

fn operation() -> impl Strategy<Value = Operation> {
    let namespace = prop::sample::select(vec!["/", "/a", "/é"]);
    prop_oneof![
        1 => any::<String>().prop_map(Operation::Text),
        // Packets that are nearly right.
        8 => "[0-6][1]?-?(/a,|/é,|/,)?[0-9]{0,2}(\\[\"[a-z]\"(,\\{\"_placeholder\":true,\"num\":[0-2]\\})?\\]|\\{\\})?"
            .prop_map(Operation::Text),
        8 => prop::sample::select(vec!["0", "0/a", "2[\"x\"]", "51-[\"x\"]", "1/a,"])
            .prop_map(|text| Operation::Text(text.to_owned())),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Operation::Bytes),
        4 => Just(Operation::Binary),
        6 => namespace.clone().prop_map(Operation::Accept),
        1 => namespace.prop_map(Operation::Remove),
        1 => Just(Operation::Timeout),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_operations(operations in prop::collection::vec(operation(), 0..40)) {
        let mut run = Run::new();
        let mut broken = false;
        for operation in operations {
            let output = match operation {
                Operation::Text(text) => run.message(Message::Text(text.into())),
                Operation::Bytes(bytes) => run.message(Message::Text(bytes.into())),
                Operation::Binary => run.message(Message::Binary(Bytes::from_static(b"x"))),
                Operation::Accept(namespace) => {
                    run.connection.accept(namespace);
                    None
                }
                Operation::Remove(namespace) => {
                    run.connection.remove(namespace);
                    None
                }
                Operation::Timeout => run.connection.handle_timeout(run.now),
            };
            if let Some(output) = output {
                prop_assert!(!broken, "{:?} after Broken", output);
                if let Output::Event { data, .. } = &output {
                    let (_, args) = data.split();
                    prop_assert!(crate::json::is_value(&args) && crate::json::is_value(&data.array()));
                }
                broken = matches!(output, Output::Broken(_));
            }
        }
    }

    /// What is encoded for a client is decoded to the same, as our decoder stands in for the client's.
    #[test]
    fn event_roundtrip(
        namespace in prop::sample::select(vec!["/", "/a", "/é?x"]),
        name in "[^c-r].{0,10}",
        texts in prop::collection::vec(any::<String>(), 0..3),
        attachments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5), 0..4),
        ack in prop::option::of(0..(1_u64 << 53)),
        offset in prop::option::of(any::<String>()),
    ) {
        let mut args: Vec<String> = texts.iter().map(|text| serde_json::to_string(text).unwrap()).collect();
        args.extend((0..attachments.len()).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)));
        let attachments: Vec<Bytes> = attachments.into_iter().map(Bytes::from).collect();
        let data = EventData::event(&name, &format!("[{}]", args.join(",")), attachments.clone()).unwrap();

        let mut run = Run::new();
        run.step(&format!("0{namespace}"));
        run.connection.accept(namespace);
        let mut output = None;
        for packet in encode::event(namespace, &data, ack, offset.as_deref()) {
            let message = match packet {
                Packet::Text(text) => Message::Text(text.slice(1..)),
                Packet::Binary(bytes) => Message::Binary(bytes),
            };
            prop_assert!(output.is_none());
            output = run.message(message);
        }
        let Some(Output::Event { ack: received_ack, data: received, .. }) = output else {
            return Err(TestCaseError::fail("no event"));
        };
        if ack.is_none() {
            args.extend(offset.map(|offset| serde_json::to_string(&offset).unwrap()));
        }
        prop_assert_eq!(received_ack, ack);
        prop_assert_eq!(received.split(), (name, format!("[{}]", args.join(","))));
        prop_assert_eq!(received.attachments(), &attachments[..]);
    }
}
