use std::time::Instant;

use compact::Moment;

use crate::settings::Settings;

/// The server's pings: one `ping_interval` after the handshake or the last pong, one at a time.
#[derive(Debug)]
pub(super) enum Heartbeat {
    /// The next ping is sent at this time.
    Quiet(Moment),
    /// A ping was sent; its pong must come before this time.
    Asked(Moment),
}

/// What a time-out asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Ping,
    Dead,
}

impl Heartbeat {
    pub(super) fn new(settings: &Settings, now: Instant) -> Self {
        Self::Quiet((now + settings.ping_interval).into())
    }

    /// A pong that nobody asked for moves nothing: a flood of them is free.
    pub(super) fn handle_pong(&mut self, settings: &Settings, now: Instant) {
        if matches!(self, Self::Asked(_)) {
            *self = Self::new(settings, now);
        }
    }

    pub(super) fn handle_timeout(&mut self, settings: &Settings, now: Instant) -> Option<Beat> {
        let due = Instant::from(self.timeout());
        if now < due {
            return None;
        }
        match self {
            Self::Quiet(_) => {
                // The pong is due counted from when the ping was, so that a clock's grain adds nothing; but a
                // process that slept for longer than half of that is not to find all its clients dead.
                let asked = if now.duration_since(due) <= settings.ping_timeout / 2 {
                    due
                } else {
                    now
                };
                *self = Self::Asked((asked + settings.ping_timeout).into());
                Some(Beat::Ping)
            }
            Self::Asked(_) => Some(Beat::Dead),
        }
    }

    pub(super) fn is_asked(&self) -> bool {
        matches!(self, Self::Asked(_))
    }

    pub(super) fn timeout(&self) -> Moment {
        match self {
            Self::Quiet(at) | Self::Asked(at) => *at,
        }
    }
}
