use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Holds up whoever tries tokens. Tokens cannot be guessed; what this saves is the store, which each try asks.
#[derive(Default)]
pub(super) struct Damping(Mutex<HashMap<IpAddr, Tries>>);

struct Tries {
    /// Wrong ones, less those that time has forgiven.
    wrong: u32,
    at: Instant,
}

/// So many wrong tokens are an accident.
const WRONG_MAX: u32 = 20;
/// Then one more in this time.
const FORGIVEN_EACH: Duration = Duration::from_secs(1);
/// Addresses that are remembered.
const ADDRESSES_MAX: usize = 4_096;

impl Damping {
    pub(super) fn may_try(&self, peer: IpAddr) -> bool {
        self.may_try_at(peer, Instant::now())
    }

    pub(super) fn failed(&self, peer: IpAddr) {
        self.failed_at(peer, Instant::now());
    }

    fn may_try_at(&self, peer: IpAddr, now: Instant) -> bool {
        let mut all = self.0.lock();
        all.get_mut(&network(peer))
            .is_none_or(|tries| tries.forgive(now) < WRONG_MAX)
    }

    fn failed_at(&self, peer: IpAddr, now: Instant) {
        let mut all = self.0.lock();
        if all.len() >= ADDRESSES_MAX {
            all.retain(|_, tries| tries.forgive(now) > 0);
        }
        // So many at once: not one of them is told from the others any more, and nobody else is held up.
        if all.len() >= ADDRESSES_MAX {
            all.clear();
        }
        let tries = all.entry(network(peer)).or_insert(Tries { wrong: 0, at: now });
        tries.wrong = tries.forgive(now) + 1;
    }
}

impl Tries {
    fn forgive(&mut self, now: Instant) -> u32 {
        let since = now.saturating_duration_since(self.at);
        let forgiven = u32::try_from(since.as_millis() / FORGIVEN_EACH.as_millis()).unwrap_or(u32::MAX);
        self.at += FORGIVEN_EACH * forgiven.min(WRONG_MAX);
        self.wrong = self.wrong.saturating_sub(forgiven);
        if self.wrong == 0 {
            self.at = now;
        }
        self.wrong
    }
}

/// Who has one address of IPv6 mostly has all of its network.
fn network(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => address.into(),
            None => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        },
        IpAddr::V4(_) => peer,
    }
}

#[cfg(test)]
mod tests;
