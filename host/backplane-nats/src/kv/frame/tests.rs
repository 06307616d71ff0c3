use super::*;

#[test]
fn records_come_back_and_cut_ones_do_not() {
    let bytes = Bytes::from_static(b"bytes");
    let bodies = [
        Body::Value(Written {
            write: 1,
            restored: None,
            bytes: Bytes::new(),
        }),
        Body::Value(Written {
            write: 1,
            restored: Some(9),
            bytes: bytes.clone(),
        }),
        Body::Tombstone { write: u64::MAX },
        Body::Intent(Intent {
            transaction: 3,
            old: None,
            new: Some(Bytes::new()),
        }),
        Body::Intent(Intent {
            transaction: 3,
            old: Some((7, Bytes::new())),
            new: None,
        }),
    ];
    for body in bodies {
        let record = Record {
            bucket: "é".into(),
            key: "\0".into(),
            body,
        };
        let encoded = record.encode();
        assert_eq!(Record::decode(encoded.clone()), Some(record));
        for end in 0..encoded.len() {
            assert_eq!(Record::decode(encoded.slice(..end)), None, "cut at {end}");
        }
        assert_eq!(Record::decode(Bytes::from([&encoded[..], b"x"].concat())), None);
    }
}

#[test]
fn decisions_come_back_and_cut_ones_do_not() {
    let decision = Decision {
        committed: true,
        keys: vec!["a".into(), String::new()],
    };
    let encoded = decision.encode();
    assert_eq!(Decision::decode(encoded.clone()), Some(decision));
    for end in 0..encoded.len() {
        assert_eq!(Decision::decode(encoded.slice(..end)), None, "cut at {end}");
    }
}
