use proptest::prelude::*;

use super::*;
use crate::{Epoch, Position, ReplyTo};

fn round_trips(delivery: &Delivery) {
    let encoded = delivery.encode();
    assert_eq!(Delivery::decode(&encoded).as_ref(), Ok(delivery));
    assert!(
        encoded.len() <= delivery.size_estimate() + 64,
        "{} > {}",
        encoded.len(),
        delivery.size_estimate()
    );
    for end in 0..encoded.len() {
        assert_eq!(
            Delivery::decode(&encoded.slice(..end)),
            Err(DecodeError::Malformed),
            "cut at {end}"
        );
    }
    let longer = Bytes::from([&encoded[..], &[0]].concat());
    assert_eq!(Delivery::decode(&longer), Err(DecodeError::Malformed));
}

fn to(rooms: &[&str], action: Action) -> Delivery {
    let rooms = rooms.iter().map(|&room| Room::from(room)).collect();
    Delivery {
        target: Target {
            namespace: "/chat".into(),
            rooms,
            except: vec!["other".into()],
        },
        action,
    }
}

fn data(inner: &'static str, attachments: &[&'static [u8]]) -> EventData {
    EventData::from_inner(
        inner.into(),
        attachments.iter().map(|&part| Bytes::from_static(part)).collect(),
    )
}

#[test]
fn every_action_comes_back() {
    round_trips(&to(&[], Action::Emit(data(r#""say","hé""#, &[]))));
    round_trips(&to(
        &["a", "bé"],
        Action::Emit(data(r#""img",1"#, &[b"\x00\xff", b""])),
    ));
    round_trips(&to(&["a"], Action::Join(vec!["x".into(), "".into()])));
    round_trips(&to(&["a"], Action::Leave(vec![])));
    round_trips(&to(&["a"], Action::Disconnect { close: true }));
    let ask = Action::EmitWithAck {
        data: data(r#""q""#, &[b"z"]),
        token: "t".into(),
        timeout_ms: u32::MAX,
    };
    round_trips(&to(&["a"], ask));
    let ask_all = Action::EmitWithAcks {
        data: data(r#""q""#, &[b"z"]),
        reply_to: ReplyTo {
            incarnation: u64::MAX,
            shard: 7,
            request: 1,
        },
        timeout_ms: 9,
    };
    round_trips(&to(&["a"], ask_all));
}

#[test]
fn attachments_are_not_copied() {
    let encoded = to(&[], Action::Emit(data(r#""img""#, &[b"0123456789"]))).encode();
    let Ok(Delivery {
        action: Action::Emit(data),
        ..
    }) = Delivery::decode(&encoded)
    else {
        panic!("no emit")
    };
    assert!(encoded.as_ptr_range().contains(&data.attachments()[0].as_ptr()));
    assert!(encoded.as_ptr_range().contains(&data.inner().as_ptr()));
}

#[test]
fn lies_are_refused_before_memory_is_taken() {
    let check =
        |bytes: &[u8], expected| assert_eq!(Delivery::decode(&Bytes::copy_from_slice(bytes)), Err(expected));
    check(&[], DecodeError::Malformed);
    check(&[2, 0, 0, 0], DecodeError::Version(2));
    check(
        &[1, 1, b'/', 0xff, 0xff, 0xff, 0xff, 0x0f],
        DecodeError::TooMany(u32::MAX),
    );
    check(&[1, 1, b'/', 0xff, 0xff, 3, 0, 0], DecodeError::Malformed);
    check(&[1, 1, 0xff, 0, 0, 2, 0], DecodeError::Malformed);
    check(&[1, 1, b'/', 0, 0, 0, 1, 0xff, 0], DecodeError::Malformed);
    check(&[1, 1, b'/', 0, 0, 9], DecodeError::Malformed);
}

#[test]
fn tokens() {
    let position = |epoch, offset| Position {
        epoch: Epoch(epoch),
        offset,
    };
    for position in [
        position(1, 0),
        position(u32::MAX, u64::MAX),
        position(0xabc, 0x10),
    ] {
        assert_eq!(Position::parse(&position.token()), Some(position));
    }
    assert_eq!(position(0xabc, 255).token(), "abc-ff");
    for hostile in [
        "",
        "-",
        "1-",
        "-1",
        "1",
        "+1-1",
        "1-+1",
        "1--1",
        "1-1-1",
        "A-1",
        "1-F",
        " 1-1",
        "1-1 ",
        "01-1",
        "1-01",
        "g-1",
        "100000000-1",
        "1-10000000000000000",
        "١-1",
        "0x1-1",
    ] {
        assert_eq!(Position::parse(hostile), None, "{hostile:?}");
    }
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = Delivery::decode(&Bytes::copy_from_slice(&bytes));
        if let Some(version) = bytes.first_mut() {
            *version = VERSION;
        }
        if let Ok(delivery) = Delivery::decode(&Bytes::from(bytes)) {
            prop_assert_eq!(Delivery::decode(&delivery.encode()), Ok(delivery));
        }
    }

    #[test]
    fn hostile_tokens_never_panic(token in any::<String>()) {
        if let Some(position) = Position::parse(&token) {
            prop_assert_eq!(position.token(), token);
        }
    }
}

/// The message queue of others carried pickles. What is in ours is read as data, or not at all.
#[test]
fn cve_2025_61765_what_comes_over_the_backplane_is_data() {
    let pickle = b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.";
    for bytes in [
        &pickle[..],
        b"cos\nsystem\n(S'id'\ntR.",
        br#"{"method":"emit","event":"x","data":"y"}"#,
        b"\xac\xed\x00\x05sr\x00",
        b"O:8:\"stdClass\":0:{}",
    ] {
        let bytes = Bytes::copy_from_slice(bytes);
        assert!(Delivery::decode(&bytes).is_err(), "{bytes:?}");
        let ours = Bytes::from([&[VERSION], &bytes[..]].concat());
        assert!(Delivery::decode(&ours).is_err(), "{bytes:?}");
    }
    // Lengths and counts of four billion, of which nothing follows.
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for start in [
        &[VERSION][..],
        &[VERSION, 1, b'/'],
        &[VERSION, 1, b'/', 0, 0, 0],
        &[VERSION, 1, b'/', 0, 0, 0, 1, b'"'],
    ] {
        let bytes = Bytes::from([start, &huge].concat());
        assert!(Delivery::decode(&bytes).is_err(), "{bytes:?}");
    }
}
