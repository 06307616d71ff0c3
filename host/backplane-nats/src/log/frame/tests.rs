use super::*;

#[test]
fn frames_come_back() {
    let bytes = [Bytes::from_static(b"one"), Bytes::new()];
    let Some(Frame::Entries(back)) = decode(entries("app", 7, &bytes)) else {
        panic!("no entries");
    };
    assert_eq!(
        (back.app.as_str(), back.write, back.deliveries.as_slice()),
        ("app", 7, &bytes[..])
    );
    let sent = Parts {
        app: "é\0".into(),
        write: 8,
        entries: 2,
        bytes: 9,
        sequences: vec![1, u64::MAX],
    };
    let Some(Frame::Parts(back)) = decode(parts(&sent)) else {
        panic!("no parts");
    };
    assert_eq!(back, sent);
    let Some(Frame::Part(back)) = decode(part(b"piece")) else {
        panic!("no part");
    };
    assert_eq!(back, "piece");
}

#[test]
fn strangers_are_refused() {
    let whole = entries("app", 7, &[Bytes::from_static(b"one")]);
    for end in 0..whole.len() {
        assert!(decode(whole.slice(..end)).is_none(), "cut at {end}");
    }
    let named = parts(&Parts {
        app: "app".into(),
        write: 1,
        entries: 1,
        bytes: 1,
        sequences: vec![1],
    });
    for end in 0..named.len() {
        assert!(decode(named.slice(..end)).is_none(), "cut at {end}");
    }
    let longer = Bytes::from([&whole[..], b"x"].concat());
    assert!(decode(longer).is_none());
    // Declares four billion entries.
    let lies = Writer::default()
        .u8(1)
        .u8(0)
        .bytes(b"a")
        .u64(1)
        .u32(u32::MAX)
        .done();
    assert!(decode(lies).is_none());
    assert!(
        decode(Bytes::from_static(b"\x02\x00")).is_none(),
        "another version"
    );
    assert!(decode(Bytes::from_static(b"hello")).is_none());
}

#[test]
fn offsets() {
    assert_eq!(offset(3, 1), 3 * 4096 + 1);
    assert_eq!(end_of(3), 4 * 4096 - 1);
    assert_eq!(sequence_of(end_of(3)), 3);
    assert_eq!(sequence_of(offset(3, 0)), 3);
}
