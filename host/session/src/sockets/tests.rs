use std::cell::RefCell;

use futures_util::FutureExt;
use router::Epoch;

use super::*;

fn at(epoch: u32, offset: u64) -> Option<Position> {
    let epoch = Epoch(epoch);
    Some(Position { epoch, offset })
}

/// What those found who had read as far as `places` when they were first asked, and how often each was asked. Asked
/// again they have read as far as they are told to.
fn found(places: &[Result<Option<Position>, ()>]) -> (Vec<Result<Option<Position>, ()>>, Vec<usize>) {
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
    let asked = RefCell::new(vec![0; places.len()]);
    let looks = level((0..places.len()).collect(), wanted, |who, wanted| {
        asked.borrow_mut()[who] += 1;
        let has = places[who].map(|place| wanted.as_of.or(place));
        async move { has.map(|as_of| Look { as_of, has: () }) }
    });
    let looks = looks.now_or_never().expect("nobody is waited for");
    let looks = looks.into_iter().map(|look| look.map(|look| look.as_of));
    (looks.collect(), asked.into_inner())
}

#[test]
fn who_has_read_less_than_another_looks_again() {
    let (looks, asked) = found(&[Ok(at(1, 7)), Ok(at(1, 9)), Ok(at(1, 3))]);
    assert_eq!(looks, [Ok(at(1, 9)); 3]);
    assert_eq!(asked, [2, 1, 2]);
}

#[test]
fn who_are_level_are_asked_once() {
    let (_, asked) = found(&[Ok(at(1, 9)), Ok(at(1, 9)), Ok(None), Err(())]);
    assert_eq!(asked, [1, 1, 1, 1]);
}

/// Who reads another log than the one that is furthest would wait in vain.
#[test]
fn a_log_that_was_lost_is_not_waited_for() {
    let (looks, asked) = found(&[Ok(at(1, 900)), Ok(at(2, 3))]);
    assert_eq!(looks, [Ok(at(1, 900)), Ok(at(2, 3))]);
    assert_eq!(asked, [1, 1]);
}
