use std::net::IpAddr;

use http::HeaderMap;

/// Peers whose `X-Forwarded-For`, `-Proto` and `-Host` are believed. Nobody's, when empty.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<Cidr>);

/// An entry of the list of trusted proxies that names no network. The operator is at fault.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is neither an IP address nor a network such as 10.0.0.0/8")]
pub struct InvalidProxy(String);

/// Whom and what a request is from, as far as its connection and trusted proxies tell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Provenance {
    /// The client's address.
    pub(crate) address: IpAddr,
    /// Host and port as the client wrote them.
    pub(crate) host: Option<String>,
    /// `None`: plain text here, but perhaps not at a proxy that does not say.
    pub(crate) secure: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
struct Cidr {
    address: IpAddr,
    prefix_bits: u32,
}

impl TrustedProxies {
    /// Reads addresses and networks in CIDR notation.
    pub fn parse(entries: &[String]) -> Result<Self, InvalidProxy> {
        let cidr = |entry: &String| Cidr::parse(entry).ok_or_else(|| InvalidProxy(entry.clone()));
        Ok(Self(entries.iter().map(cidr).collect::<Result<_, _>>()?))
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|cidr| cidr.contains(address))
    }

    /// `uri_host`: the request target's authority, which HTTP/2 sends in place of `Host`.
    pub(crate) fn provenance(
        &self,
        peer: IpAddr,
        tls: bool,
        headers: &HeaderMap,
        uri_host: Option<&str>,
    ) -> Provenance {
        let peer = peer.to_canonical();
        let host = uri_host.or_else(|| text(headers, "host")).map(str::to_owned);
        if !self.contains(peer) {
            return Provenance {
                address: peer,
                host,
                secure: tls.then_some(true),
            };
        }
        let secure = match text(headers, "x-forwarded-proto").map(first) {
            Some(proto) if proto.eq_ignore_ascii_case("https") || proto.eq_ignore_ascii_case("wss") => {
                Some(true)
            }
            Some(_) => Some(false),
            None => tls.then_some(true),
        };
        let host = text(headers, "x-forwarded-host")
            .map(first)
            .map(str::to_owned)
            .or(host);
        Provenance {
            address: self.client(peer, headers),
            host,
            secure,
        }
    }

    /// Walks `X-Forwarded-For` from the nearest hop: what a trusted proxy wrote is believed, and the first
    /// address that is not one of them is the client's. Left of it a client may have written anything.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut nearest = peer;
        let lines: Vec<_> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|v| v.to_str().ok())
            .collect();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let Some(address) = hop_address(hop.trim()) else {
                break;
            };
            nearest = address;
            if !self.contains(address) {
                break;
            }
        }
        nearest
    }
}

impl Cidr {
    fn parse(entry: &str) -> Option<Self> {
        let (address, prefix) = match entry.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (entry, None),
        };
        let address: IpAddr = address.trim().parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = prefix.map_or(Some(width), |p| p.trim().parse().ok())?;
        (prefix_bits <= width).then_some(Self { address, prefix_bits })
    }

    fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(network), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - self.prefix_bits).unwrap_or(0);
                (network.to_bits() ^ other.to_bits()) & mask == 0
            }
            (IpAddr::V6(network), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - self.prefix_bits).unwrap_or(0);
                (network.to_bits() ^ other.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

/// An address with or without port and brackets, as proxies write them.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.trim_matches(|c| c == '[' || c == ']');
    let address = bare
        .parse::<IpAddr>()
        .or_else(|_| hop.parse::<std::net::SocketAddr>().map(|a| a.ip()));
    address.ok().map(|a| a.to_canonical())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn first(list: &str) -> &str {
    list.split(',').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests;
