use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use super::{ADDRESSES_MAX, Damping, WRONG_MAX};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn whoever_guesses_waits() {
    let (damping, start) = (Damping::default(), Instant::now());
    let (guesser, other) = (address("2001:db8::1"), address("10.0.0.1"));
    for _ in 0..WRONG_MAX {
        assert!(damping.may_try_at(guesser, start));
        damping.failed_at(guesser, start);
    }
    assert!(!damping.may_try_at(guesser, start));
    assert!(
        !damping.may_try_at(address("2001:db8::2"), start),
        "the same network"
    );
    assert!(damping.may_try_at(other, start));
    assert!(!damping.may_try_at(guesser, start + Duration::from_millis(999)));
    let later = start + Duration::from_millis(1_500);
    assert!(damping.may_try_at(guesser, later));
    damping.failed_at(guesser, later);
    assert!(!damping.may_try_at(guesser, later), "one a second");
    assert!(
        damping.may_try_at(guesser, start + Duration::from_secs(2)),
        "half a second was kept"
    );
    let much_later = start + Duration::from_secs(3_600);
    for _ in 0..WRONG_MAX {
        assert!(damping.may_try_at(guesser, much_later));
        damping.failed_at(guesser, much_later);
    }
    assert!(!damping.may_try_at(guesser, much_later));
}

#[test]
fn memory_is_bounded() {
    let (damping, now) = (Damping::default(), Instant::now());
    for n in 0..3 * ADDRESSES_MAX {
        damping.failed_at(IpAddr::from(u32::try_from(n).unwrap().to_be_bytes()), now);
    }
    assert!(damping.0.lock().len() <= ADDRESSES_MAX);
}
