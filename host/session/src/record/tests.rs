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
        quiet: born,
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
    let resumed = |(born, sent, through, confirmed, quiet)| {
        let progress = Progress {
            epoch: EPOCH,
            born,
            sent,
            through,
            confirmed,
            quiet,
            forgotten: 0,
        };
        progress.resume_unsaid().unwrap().offset
    };
    assert_eq!(resumed((10, 0, 90, 0, 80)), 90, "nothing was ever meant for it");
    assert_eq!(resumed((10, 40, 90, 0, 10)), 10, "it has proved nothing");
    assert_eq!(
        resumed((10, 40, 90, 0, 20)),
        20,
        "nothing was meant for it until its last pong"
    );
    assert_eq!(resumed((10, 40, 90, 30, 35)), 35, "what came after its last pong");
    assert_eq!(resumed((10, 40, 90, 40, 60)), 90, "it has all");
}

#[test]
fn a_client_that_has_all_but_the_last_goes_on_where_its_last_pong_left_it() {
    let resumed = |confirmed, quiet, offset: Option<u64>| {
        let progress = Progress {
            epoch: EPOCH,
            born: 10,
            sent: 80,
            through: 90,
            confirmed,
            quiet,
            forgotten: 0,
        };
        let token = offset.map(|offset| Position { epoch: EPOCH, offset }.to_string());
        progress.resume(token.as_deref()).unwrap().offset
    };
    assert_eq!(resumed(30, 70, Some(30)), 70, "it was idle from 30 to 70");
    assert_eq!(resumed(30, 70, Some(75)), 75, "it has more than it proved");
    assert_eq!(resumed(30, 70, Some(20)), 20, "it has less than it proved");
    assert_eq!(resumed(0, 70, None), 70, "it was never told anything before");
    assert_eq!(
        resumed(30, 70, None),
        10,
        "it says that it has less than it proved"
    );
}

#[test]
fn what_was_missed_before_rooms_were_forgotten_cannot_be_told() {
    let progress = Progress {
        epoch: EPOCH,
        born: 10,
        sent: 60,
        through: 90,
        confirmed: 30,
        quiet: 35,
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
fn nonsense_is_not_resumed_and_an_offset_of_another_log_is_none() {
    let progress = Progress {
        epoch: EPOCH,
        born: 0,
        sent: 1,
        through: 1,
        confirmed: 1,
        quiet: 1,
        forgotten: 0,
    };
    let other = Position {
        epoch: Epoch(8),
        offset: 1,
    }
    .to_string();
    for token in ["", "x", "7", "hello world"] {
        assert_eq!(progress.resume(Some(token)), None, "{token}");
    }
    assert_eq!(progress.resume(Some(&other)), progress.resume(None));
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
        state_version: 3,
        progress: Progress {
            epoch: EPOCH,
            born: 1,
            sent: 2,
            through: 3,
            confirmed: 2,
            quiet: 3,
            forgotten: 4,
        },
        token: Some("/\0token".into()),
        ending: Some(DisconnectReason::PingTimeout),
        subject: Some("[\"iss\",\"ann\"]".into()),
    };
    let bytes = record.encode();
    assert_eq!(Record::decode(&bytes), Some(record));
    assert_eq!(Record::decode(&bytes[1..]), None);
    assert_eq!(Record::decode(b""), None);
}
