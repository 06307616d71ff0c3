use std::time::Duration;

use crate::Random;

/// What goes wrong without being told: how long messages take and which are lost. Chances are in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A message takes up to this; a slow one, of which there are `slow` percent, up to `slow_max`.
    pub delay_max: Duration,
    pub slow: u64,
    pub slow_max: Duration,
    /// Acks that come up to `ack_late_max` after what they acknowledge was stored and delivered.
    pub ack_late: u64,
    pub ack_late_max: Duration,
    /// What was asked is done, but the answer never comes.
    pub ack_lost: u64,
    /// Payloads of topics that are lost, and that come twice.
    pub topic_lost: u64,
    pub topic_twice: u64,
    /// Sequence numbers that other apps of a partition take before an append.
    pub others_max: usize,
}

impl Faults {
    /// Nothing goes wrong and nothing takes time.
    pub const NONE: Self = Self {
        delay_max: Duration::ZERO,
        slow: 0,
        slow_max: Duration::ZERO,
        ack_late: 0,
        ack_late_max: Duration::ZERO,
        ack_lost: 0,
        topic_lost: 0,
        topic_twice: 0,
        others_max: 0,
    };

    /// A good network that takes its time.
    pub const FAIR: Self = Self {
        delay_max: Duration::from_millis(3),
        others_max: 3,
        ..Self::NONE
    };

    /// A bad one.
    pub const FOUL: Self = Self {
        delay_max: Duration::from_millis(20),
        slow: 5,
        slow_max: Duration::from_millis(1_500),
        ack_late: 5,
        ack_late_max: Duration::from_millis(2_500),
        ack_lost: 2,
        topic_lost: 10,
        topic_twice: 10,
        others_max: 3,
    };

    pub(super) fn delay(&self, random: &mut Random) -> Duration {
        if self.slow > 0 && random.chance(self.slow) {
            return up_to(self.slow_max, random);
        }
        up_to(self.delay_max, random)
    }
}

pub(super) fn up_to(max: Duration, random: &mut Random) -> Duration {
    if max.is_zero() {
        return max;
    }
    Duration::from_micros(random.draw() % (max.as_micros() as u64 + 1))
}
