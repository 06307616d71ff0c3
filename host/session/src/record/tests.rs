use super::*;

const EPOCH: Epoch = Epoch(7);

fn check(progress: (u64, u64, u64), offset: Option<u64>, expected: Option<u64>) {
    let (born, sent, through) = progress;
    let progress = Progress {
        epoch: EPOCH,
        born,
        sent,
        through,
        confirmed: 0,
        forgotten: 0,
    };
    let token = offset.map(|offset| Position { epoch: EPOCH, offset }.to_string());
    let resumed = progress.resume(token.as_deref());
    assert_eq!(
        resumed.map(|position| position.offset),
        expected,
        "{progress:?} {offset:?}"
    );
}

#[test]
fn where_a_client_goes_on() {
    // born, sent, through; what the client says; where it goes on
    check((10, 0, 90), None, Some(90)); // nothing was ever meant for it
    check((10, 40, 90), None, Some(10)); // it missed everything
    check((10, 40, 90), Some(40), Some(90)); // it has all: idle for hours
    check((10, 40, 90), Some(30), Some(30)); // it missed some
    check((10, 40, 40), Some(60), Some(60)); // the record is older than what it received
    check((10, 0, 90), Some(5), Some(90)); // the offset is an earlier socket's, and so:
    check((10, 40, 90), Some(5), Some(10));
}

#[test]
fn where_a_client_goes_on_that_does_not_say_what_it_has() {
    let resumed = |(born, sent, through, confirmed)| {
        let progress = Progress {
            epoch: EPOCH,
            born,
            sent,
            through,
            confirmed,
            forgotten: 0,
        };
        progress.resume_unsaid().unwrap().offset
    };
    assert_eq!(resumed((10, 0, 90, 0)), 90, "nothing was ever meant for it");
    assert_eq!(resumed((10, 40, 90, 0)), 10, "it has proved nothing");
    assert_eq!(resumed((10, 40, 90, 30)), 30, "what came after its last pong");
    assert_eq!(resumed((10, 40, 90, 40)), 90, "it has all");
}

#[test]
fn what_was_missed_before_rooms_were_forgotten_cannot_be_told() {
    let progress = Progress {
        epoch: EPOCH,
        born: 10,
        sent: 60,
        through: 90,
        confirmed: 30,
        forgotten: 50,
    };
    let resumed = |offset| {
        let token = Position { epoch: EPOCH, offset }.to_string();
        progress.resume(Some(&token)).map(|position| position.offset)
    };
    assert_eq!(resumed(40), None);
    assert_eq!(resumed(50), Some(50));
    assert_eq!(resumed(60), Some(90));
    assert_eq!(progress.resume(None), None);
    assert_eq!(progress.resume_unsaid(), None);
}

#[test]
fn another_log_or_nonsense_is_not_resumed() {
    let progress = Progress {
        epoch: EPOCH,
        born: 0,
        sent: 1,
        through: 1,
        confirmed: 1,
        forgotten: 0,
    };
    let other = Position {
        epoch: Epoch(8),
        offset: 1,
    }
    .to_string();
    for token in ["", "x", "7", "hello world", other.as_str()] {
        assert_eq!(progress.resume(Some(token)), None, "{token}");
    }
}

#[test]
fn stored_and_read() {
    let mut stays = Stays::default();
    stays.join(&"red".into(), 3);
    let record = Record {
        home: Home {
            incarnation: 5,
            shard: 1,
        },
        namespace: "/".into(),
        secret: [9; 16],
        stays,
        state: Bytes::from_static(b"state"),
        progress: Progress {
            epoch: EPOCH,
            born: 1,
            sent: 2,
            through: 3,
            confirmed: 2,
            forgotten: 4,
        },
        token: Some("/\0token".into()),
    };
    let bytes = record.encode();
    assert_eq!(Record::decode(&bytes), Some(record));
    assert_eq!(Record::decode(&bytes[1..]), None);
    assert_eq!(Record::decode(b""), None);
}
