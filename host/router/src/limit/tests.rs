use std::time::Instant;

use super::*;

#[test]
fn every_limit_has_its_name() {
    assert_eq!(Limit::CpuMsPerCall.name(), "cpu_ms_per_call");
    assert_eq!(Limit::KvKeys.name(), "kv_keys");
    assert_eq!(Limit::ComponentBytes.name(), "component_bytes");
    assert_eq!(Limit::Timers.describe(3), "timers = 3");
}

#[test]
fn hits_are_counted_by_limit_and_by_text() {
    let hits = Hits::default();
    hits.bump(Limit::Timers);
    hits.bump_named("timers = 3: and more");
    hits.bump_named("no such limit");
    assert_eq!(hits.get(Limit::Timers), 2);
    assert_eq!(hits.all().map(|(_, count)| count).sum::<u64>(), 2);
}

#[test]
fn a_bucket_holds_a_second_and_refills_at_its_rate() {
    let mut bucket = Bucket::default();
    let start = Instant::now();
    for _ in 0..10 {
        assert!(bucket.try_take(1, 10, start));
    }
    assert!(!bucket.try_take(1, 10, start));
    assert!(!bucket.try_take(1, 10, start + Duration::from_millis(99)));
    assert!(bucket.try_take(1, 10, start + Duration::from_millis(100)));
    assert!(bucket.wait(start + Duration::from_secs(60)).is_zero());
}

#[test]
fn debts_are_paid_in_time() {
    let mut bucket = Bucket::default();
    let start = Instant::now();
    // Three seconds' worth at once: a second of it is the burst.
    bucket.take(300, 100, start);
    assert_eq!(bucket.wait(start), Duration::from_secs(2));
    assert_eq!(
        bucket.wait(start + Duration::from_millis(500)),
        Duration::from_millis(1500)
    );
    assert!(bucket.wait(start + Duration::from_secs(2)).is_zero());
    // A rate of nothing and numbers beyond all bounds do no harm.
    bucket.take(u64::MAX, 0, start);
    assert!(bucket.wait(start) <= Duration::from_hours(2));
}
