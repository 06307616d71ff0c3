use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::{Few, Moment};

#[allow(clippy::disallowed_methods, reason = "tests need some origin for their times")]
fn start() -> Instant {
    Instant::now()
}

#[test]
fn a_moment_is_its_instant() {
    assert_eq!(size_of::<Option<Moment>>(), 8);
    let now = start();
    for later in [
        0,
        1,
        999_999_999,
        25_000_000_000,
        100 * 365 * 86_400 * 1_000_000_000,
    ] {
        let instant = now + Duration::from_nanos(later);
        assert_eq!(Instant::from(Moment::from(instant)), instant);
        assert_eq!(Moment::from(now).plus(later), Moment::from(instant));
        assert_eq!(Moment::from(instant).nanos_since(Moment::from(now)), later);
        assert_eq!(
            Moment::from(now).nanos_since(Moment::from(instant)),
            0,
            "nothing is negative"
        );
    }
    let before = now.checked_sub(Duration::from_mins(59)).unwrap();
    assert_eq!(Instant::from(Moment::from(before)), before);
}

#[test]
fn what_is_out_of_range_is_its_end() {
    let first = Moment::from(start().checked_sub(Duration::from_hours(1_000_000)).unwrap());
    assert!(first < Moment::from(start()));
    let last = Moment::from(start()).plus(u64::MAX);
    assert_eq!(last.plus(1), last);
    assert!(Instant::from(last) > start());
}

proptest! {
    /// Whatever is done to it, it is what a list would be.
    #[test]
    fn few_are_a_list(operations in prop::collection::vec((0_u8..4, 0_usize..5), 0..30)) {
        let (mut few, mut list) = (Few::new(), Vec::new());
        for (kind, place) in operations {
            match kind {
                0 | 1 => {
                    few.push(place);
                    list.push(place);
                }
                2 => {
                    let removed = (place < list.len()).then(|| list.remove(place));
                    prop_assert_eq!(few.remove(place), removed);
                }
                _ => {
                    few.retain(|element| *element != place);
                    list.retain(|element| *element != place);
                }
            }
            prop_assert_eq!(few.iter().collect::<Vec<_>>(), list.iter().collect::<Vec<_>>());
            prop_assert_eq!((few.len(), few.is_empty(), few.first()), (list.len(), list.is_empty(), list.first()));
        }
        few.iter_mut().chain(list.iter_mut()).for_each(|element| *element += 1);
        prop_assert_eq!(few.clone().into_iter().collect::<Few<_>>(), few.clone());
        prop_assert_eq!(few.into_iter().collect::<Vec<_>>(), list);
    }
}
