use std::time::Duration;

use tokio::time::Instant;

use crate::Damper;

#[test]
fn failures_are_told_later_and_later() {
    let (mut damper, now) = (Damper::default(), Instant::now());
    let delays: Vec<_> = (0..12)
        .map(|_| damper.failed("192.0.2.1", now).as_millis())
        .collect();
    assert_eq!(delays, [0, 0, 0, 0, 0, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
    assert_eq!(damper.failed("192.0.2.2", now), Duration::ZERO, "somebody else");
    let mapped = damper.failed("::ffff:192.0.2.1", now);
    assert_eq!(mapped, Duration::from_secs(8), "the same, written otherwise");
    let later = now + Duration::from_mins(1);
    assert_eq!(damper.failed("192.0.2.1", later), Duration::ZERO, "forgotten");
}

#[test]
fn a_customer_with_many_addresses_is_one() {
    let (mut damper, now) = (Damper::default(), Instant::now());
    let mut fail = |address: &str| damper.failed(address, now).as_millis();
    (0..5).for_each(|host| _ = fail(&format!("2001:db8:1:2::{host}")));
    assert_eq!(fail("2001:db8:1:2:ffff::1"), 500);
    assert_eq!(fail("2001:db8:1:3::1"), 0);
}

#[test]
fn a_flood_from_everywhere_has_bounded_memory() {
    let mut damper = Damper::default();
    let start = Instant::now();
    for number in 0..100_000_u32 {
        let address = std::net::Ipv4Addr::from(number).to_string();
        damper.failed(&address, start + Duration::from_micros(number.into()));
    }
    assert!(damper.len() <= 1024, "{}", damper.len());
}
