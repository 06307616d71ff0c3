use std::{
    num::NonZeroU64,
    sync::OnceLock,
    time::{Duration, Instant},
};

/// An [`Instant`] in 8 bytes, and in 8 where there may be none: what a session keeps of times. `Instant`s go in and come out;
/// only what is kept is one of these.
///
/// Unit: nanoseconds since an hour before the first one that this process made, so nothing is rounded. Range: 584 years; what is
/// before or beyond is the first or the last there is. Of no use to another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(NonZeroU64);

impl Moment {
    /// This much later.
    #[must_use]
    pub fn plus(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Nanoseconds since `earlier`; 0 if that is later.
    pub fn nanos_since(self, earlier: Self) -> u64 {
        self.0.get().saturating_sub(earlier.0.get())
    }
}

impl From<Instant> for Moment {
    fn from(instant: Instant) -> Self {
        let since = instant.saturating_duration_since(origin(instant));
        let nanos = since.as_secs().saturating_mul(1_000_000_000);
        let nanos = nanos.saturating_add(u64::from(since.subsec_nanos()));
        Self(NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN))
    }
}

impl From<Moment> for Instant {
    fn from(Moment(nanos): Moment) -> Self {
        ORIGIN.get().map_or_else(
            || unreachable!("there was an instant before"),
            |origin| *origin + Duration::from_nanos(nanos.get()),
        )
    }
}

/// No clock is read for it: the first instant that anybody shows will do, and clocks of other threads are not an hour apart.
fn origin(first: Instant) -> Instant {
    *ORIGIN.get_or_init(|| first.checked_sub(Duration::from_hours(1)).unwrap_or(first))
}

static ORIGIN: OnceLock<Instant> = OnceLock::new();
