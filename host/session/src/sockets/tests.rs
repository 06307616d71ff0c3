use std::cell::RefCell;

use futures_util::FutureExt;

use super::*;

fn read(epoch: u32, entry: u64, through: u64) -> Reading {
    let epoch = Epoch(epoch);
    Reading {
        epoch,
        entry,
        through,
    }
}

/// Asks those who have read so far, and then as far as they are told to; an `Err` does not answer. Tells which places each was
/// asked for.
fn asked(readings: &[Result<Option<Reading>, ()>], mute: bool) -> (Vec<Vec<Option<u64>>>, usize) {
    let wanted = Wanted {
        app: "app".into(),
        target: Target {
            namespace: "/".into(),
            rooms: Vec::new(),
            except: Vec::new(),
        },
        cursor: None,
        as_of: None,
    };
    let asked = RefCell::new(vec![Vec::new(); readings.len()]);
    let looks = level((0..readings.len()).collect(), wanted, |who, wanted| {
        let place = wanted.as_of.map(|place| place.offset);
        asked.borrow_mut()[who].push(place);
        let answer = if mute && place.is_some() {
            Err(())
        } else {
            readings[who]
        };
        async move { answer.map(|reading| Look { reading, has: () }) }
    });
    let looks = looks.now_or_never().expect("nobody is waited for");
    let answered = looks.iter().filter(|look| look.is_ok()).count();
    (asked.into_inner(), answered)
}

#[test]
fn who_has_read_less_than_another_looks_again() {
    let (asked, _) = asked(
        &[
            Ok(Some(read(1, 7, 7))),
            Ok(Some(read(1, 9, 9))),
            Ok(Some(read(1, 3, 8))),
        ],
        false,
    );
    assert_eq!(asked, [vec![None, Some(9)], vec![None], vec![None, Some(9)]]);
}

#[test]
fn who_are_level_are_asked_once() {
    let (asked, answered) = asked(
        &[
            Ok(Some(read(1, 9, 9))),
            Ok(Some(read(1, 9, 9))),
            Ok(None),
            Err(()),
        ],
        false,
    );
    assert_eq!(asked, [[None]; 4]);
    assert_eq!(answered, 3);
}

/// One has heard later than the other that nothing came; a third reads the log only since then.
#[test]
fn who_has_every_entry_is_not_behind() {
    let (asked, _) = asked(
        &[
            Ok(Some(read(1, 50, 200))),
            Ok(Some(read(1, 50, 180))),
            Ok(Some(read(1, 0, 50))),
        ],
        false,
    );
    assert_eq!(asked, [[None]; 3]);
}

/// Who reads another log than the one that is furthest would wait in vain; who reads the same one does not.
#[test]
fn a_log_that_was_lost_is_not_waited_for() {
    let (asked, _) = asked(
        &[
            Ok(Some(read(1, 900, 900))),
            Ok(Some(read(2, 3, 3))),
            Ok(Some(read(2, 5, 5))),
        ],
        false,
    );
    assert_eq!(asked, [vec![None], vec![None, Some(5)], vec![None]]);
}

#[test]
fn who_does_not_answer_again_has_answered() {
    let (asked, answered) = asked(&[Ok(Some(read(1, 7, 7))), Ok(Some(read(1, 9, 9)))], true);
    assert_eq!(asked[0], [None, Some(9)]);
    assert_eq!(answered, 2);
}

/// As far as the core that is furthest says, and only if every other has come so far.
#[test]
fn a_node_has_read_what_all_its_cores_have() {
    let node = |cores: [Option<Reading>; 2]| together(cores.into_iter().flatten());
    assert_eq!(
        node([Some(read(1, 50, 200)), Some(read(1, 50, 180))]),
        Some(read(1, 50, 180))
    );
    assert_eq!(
        node([Some(read(1, 50, 60)), Some(read(1, 0, 50))]),
        Some(read(1, 50, 50))
    );
    assert_eq!(node([Some(read(1, 50, 60)), None]), Some(read(1, 50, 60)));
    assert_eq!(
        node([Some(read(1, 50, 60)), Some(read(2, 3, 4))]),
        Some(read(1, 50, 60))
    );
}
