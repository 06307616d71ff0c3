use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use tokio::time::Instant;

/// Failures within [`WINDOW`] that are answered at once: an application that reloads a few times with a stale token.
const FREE: u32 = 5;
/// A minute without a failure, counted from the first, and all is forgotten.
const WINDOW: Duration = Duration::from_mins(1);
/// The first delay; each further one is twice as long, up to [`DELAY_MAX`].
const DELAY: Duration = Duration::from_millis(500);
const DELAY_MAX: Duration = Duration::from_secs(8);
/// Addresses of one generation; two are kept for an app: 48 KiB. Who comes from more is damped less.
const PEERS_MAX: usize = 512;

/// Slows down those who fail again and again, by where they come from. Those who succeed wait for nothing, so that
/// people behind one address do not pay for a neighbour.
///
/// Whoever failed lately is in the young generation. When that is full, it becomes the old one, whose memory is given
/// up: forgetting costs a flood no more than remembering.
#[derive(Debug, Default)]
pub struct Damper {
    young: HashMap<Peer, Strikes>,
    old: HashMap<Peer, Strikes>,
}

/// Where somebody comes from: an IPv4 address, or what one customer has of IPv6 (a /64).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Peer {
    V4([u8; 4]),
    V6([u16; 4]),
    Unknown,
}

#[derive(Clone, Copy, Debug)]
struct Strikes {
    count: u32,
    since: Instant,
}

impl Damper {
    /// Somebody failed at `now`: how long to wait before telling.
    pub fn failed(&mut self, address: &str, now: Instant) -> Duration {
        let peer = Peer::of(address);
        let fresh = Strikes { count: 0, since: now };
        let known = self.young.get(&peer).or_else(|| self.old.get(&peer));
        let mut strikes = known.copied().unwrap_or(fresh);
        if now.duration_since(strikes.since) >= WINDOW {
            strikes = fresh;
        }
        strikes.count = strikes.count.saturating_add(1);
        if !self.young.contains_key(&peer) && self.young.len() >= PEERS_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(peer, strikes);
        match strikes.count.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(doublings) => DELAY.saturating_mul(1 << doublings.min(10)).min(DELAY_MAX),
        }
    }
}

impl Peer {
    fn of(address: &str) -> Self {
        match address.parse() {
            Ok(IpAddr::V4(ip)) => Self::V4(ip.octets()),
            Ok(IpAddr::V6(ip)) => ip
                .to_ipv4_mapped()
                .map_or_else(|| Self::prefix(ip), |ip| Self::V4(ip.octets())),
            Err(_) => Self::Unknown,
        }
    }

    fn prefix(ip: Ipv6Addr) -> Self {
        let [a, b, c, d, ..] = ip.segments();
        Self::V6([a, b, c, d])
    }
}

#[cfg(test)]
impl Damper {
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
