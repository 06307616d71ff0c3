use std::time::Duration;

/// Times, counted in buckets that are at most 1.6 % wide, from a microsecond to more than an hour.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max_us: u64,
}

/// Buckets of each doubling.
const STEPS: u64 = 64;
/// Doublings beyond the first `STEPS` microseconds.
const DOUBLINGS: u64 = 27;

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; ((DOUBLINGS + 1) * STEPS) as usize],
            total: 0,
            max_us: 0,
        }
    }

    pub(crate) fn record(&mut self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let last = self.counts.len() - 1;
        if let Some(count) = self.counts.get_mut(bucket(us).min(last)) {
            *count += 1;
        }
        self.total += 1;
        self.max_us = self.max_us.max(us);
    }

    pub(crate) fn count(&self) -> u64 {
        self.total
    }

    /// The time that so many of a hundred did not exceed, in milliseconds; 0 if there is none.
    pub(crate) fn percentile_ms(&self, percent: f64) -> f64 {
        let wanted = ((self.total as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper_us(bucket).min(self.max_us) as f64 / 1e3;
            }
        }
        0.0
    }

    pub(crate) fn max_ms(&self) -> f64 {
        self.max_us as f64 / 1e3
    }
}

/// The first `STEPS` are a microsecond wide; then every doubling has as many, each twice as wide.
fn bucket(us: u64) -> usize {
    let doubling = (us / STEPS).checked_ilog2().map_or(0, |log| u64::from(log) + 1);
    let bucket = match doubling {
        0 => us,
        _ => doubling * STEPS + (us >> (doubling - 1)) - STEPS,
    };
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

/// The longest time that falls into a bucket, in microseconds.
fn upper_us(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let (doubling, step) = (bucket / STEPS, bucket % STEPS);
    match doubling {
        0 => step,
        _ => ((STEPS + step + 1) << (doubling - 1)) - 1,
    }
}

#[cfg(test)]
mod tests;
