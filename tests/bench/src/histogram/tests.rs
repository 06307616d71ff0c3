#![expect(clippy::float_cmp, reason = "of values that are made by the same arithmetic")]

use super::*;

#[test]
fn every_time_falls_into_the_bucket_that_ends_with_it() {
    for us in (0..5_000).chain((0..36).map(|power| 1_u64 << power)) {
        let bucket = bucket(us);
        assert!(upper_us(bucket) >= us, "{us}");
        assert!(bucket == 0 || upper_us(bucket - 1) < us, "{us}");
    }
}

#[test]
fn percentiles_are_near() {
    let mut times = Histogram::new();
    for us in 1..=10_000 {
        times.record(Duration::from_micros(us));
    }
    for (percent, ms) in [(50.0, 5.0), (99.0, 9.9), (99.9, 9.99), (100.0, 10.0)] {
        let found = times.percentile_ms(percent);
        assert!(found >= ms && found <= ms * 1.016, "{percent}: {found}");
    }
    assert_eq!(times.max_ms(), 10.0);
    assert_eq!(times.count(), 10_000);
}

#[test]
fn hours_and_nothing_are_no_surprise() {
    let mut times = Histogram::new();
    assert_eq!(times.percentile_ms(99.0), 0.0);
    times.record(Duration::from_secs(1_000_000));
    assert_eq!(times.percentile_ms(50.0), times.percentile_ms(100.0));
    assert_eq!(times.max_ms(), 1e9);
}
