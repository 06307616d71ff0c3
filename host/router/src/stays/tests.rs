use std::sync::Arc;

use bytes::Bytes;
use socketio::EventData;

use super::{ENDED_STAYS_MAX, Replayed, Stays, replay};
use crate::{Action, Delivery, Target};

fn to(rooms: &[&str], except: &[&str]) -> Target {
    let named = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
    Target {
        namespace: "/".into(),
        rooms: named(rooms),
        except: named(except),
    }
}

#[test]
fn a_packet_is_meant_for_those_who_were_there_then() {
    let mut stays = Stays::default();
    stays.join(&"red".into(), 10);
    stays.leave("red", 20);
    stays.join(&"red".into(), 30);
    for (offset, meant) in [
        (10, false),
        (11, true),
        (20, true),
        (21, false),
        (30, false),
        (31, true),
    ] {
        assert_eq!(
            stays.was_meant("/", "me", &to(&["red"], &[]), offset),
            meant,
            "offset {offset}"
        );
        assert_eq!(
            stays.was_meant("/", "me", &to(&[], &["red"]), offset),
            !meant,
            "except, offset {offset}"
        );
    }
    assert!(stays.was_meant("/", "me", &to(&["me"], &[]), 1));
    assert!(!stays.was_meant("/", "me", &to(&[], &["me"]), 1));
    assert!(!stays.was_meant("/admin", "me", &to(&[], &[]), 1));
}

#[test]
fn ended_stays_are_bounded_and_say_from_where_they_are_complete() {
    let mut stays = Stays::default();
    for i in 0..ENDED_STAYS_MAX as u64 {
        stays.join(&format!("r{i}").into(), i * 2);
        assert_eq!(stays.leave(&format!("r{i}"), i * 2 + 1), None);
    }
    stays.join(&"last".into(), 9_000);
    let (mut replayed, mut forgotten) = (stays.clone(), 0);
    assert_eq!(stays.leave("last", 9_001), Some(1));
    assert_eq!(stays.stays.len(), ENDED_STAYS_MAX);
    // The same where the leave is read from the log.
    let leave = Delivery {
        target: to(&["last"], &[]),
        action: Action::Leave(vec!["last".into()]),
    };
    let step = replay((&mut replayed, &mut forgotten), ("/", "me"), 9_000, 9_001, &leave);
    assert_eq!((step, forgotten), (Replayed::Nothing, 1));
    assert_eq!(replayed, stays);
}

#[test]
fn a_replay_follows_membership_changes_after_the_last_one_seen() {
    let mut stays = Stays::default();
    let act = |rooms: &[&str], action| Delivery {
        target: to(rooms, &[]),
        action,
    };
    let emit = |rooms: &[&str]| {
        act(
            rooms,
            Action::Emit(EventData::from_inner(Bytes::from_static(b"\"a\""), vec![])),
        )
    };
    let log = [
        emit(&["red"]),
        act(&["me"], Action::Join(vec!["red".into()])),
        emit(&["red"]),
        act(&["red"], Action::Leave(vec!["red".into()])),
        emit(&["red"]),
        act(&[], Action::Disconnect { close: false }),
    ];
    let got: Vec<bool> = (1..)
        .zip(&log)
        .filter_map(
            |(offset, entry)| match replay((&mut stays, &mut 0), ("/", "me"), 0, offset, entry) {
                Replayed::Nothing => None,
                Replayed::Emit(_) => Some(false),
                Replayed::Disconnected => Some(true),
            },
        )
        .collect();
    assert_eq!(got, [false, true]);
}

#[test]
fn the_latest_change_is_known() {
    let mut stays = Stays::default();
    assert_eq!(stays.latest(), 0);
    stays.join(&"red".into(), 5);
    stays.join(&"blue".into(), 3);
    assert_eq!(stays.latest(), 5);
    stays.leave("blue", 9);
    assert_eq!(stays.latest(), 9);
}
