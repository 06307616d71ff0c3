//! Liveness of a plain WebSocket, without input or output: it has no Engine.IO heartbeat, so the WebSocket's own pings
//! stand in for it, on the same settings.
use std::time::{Duration, Instant};

use compact::Moment;

/// What a plain WebSocket's clock asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tick {
    /// Send a ping.
    Ping,
    /// Nothing was heard in time: close.
    Dead,
    /// Too early.
    Nothing,
}

#[derive(Debug)]
pub(crate) struct PlainLink {
    state: State,
}

#[derive(Debug)]
enum State {
    /// The next ping is due.
    Quiet(Moment),
    /// A ping went out; a sign of life is due.
    Asked(Moment),
}

impl PlainLink {
    pub(crate) fn new(ping_interval: Duration, now: Instant) -> Self {
        Self {
            state: State::Quiet((now + ping_interval).into()),
        }
    }

    pub(crate) fn timeout(&self) -> Moment {
        match self.state {
            State::Quiet(due) | State::Asked(due) => due,
        }
    }

    /// Anything arrived.
    pub(crate) fn handle_life(&mut self, ping_interval: Duration, now: Instant) {
        self.state = State::Quiet((now + ping_interval).into());
    }

    pub(crate) fn handle_timeout(&mut self, ping_timeout: Duration, now: Instant) -> Tick {
        let (now, asked) = (Moment::from(now), Moment::from(now + ping_timeout));
        match self.state {
            State::Quiet(due) if now >= due => {
                self.state = State::Asked(asked);
                Tick::Ping
            }
            State::Asked(due) if now >= due => Tick::Dead,
            _ => Tick::Nothing,
        }
    }
}

#[cfg(test)]
mod tests;
