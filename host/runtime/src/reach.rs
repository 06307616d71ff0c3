use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

/// Why a request is not sent.
#[derive(Debug, thiserror::Error)]
pub enum OutOfReach {
    #[error("its name is not known: {0}")]
    NoName(io::Error),
    #[error("its name has no address")]
    NoAddress,
    #[error("{0} is not a public address")]
    Private(IpAddr),
}

/// The address of `place` (`host:port`), to be connected to as it is: looked up again, it may be another. Unless
/// `allow_private`, a place one of whose addresses is not public is out of reach.
pub async fn reach(place: &str, allow_private: bool) -> Result<SocketAddr, OutOfReach> {
    let found = tokio::net::lookup_host(place).await;
    let mut found = found.map_err(OutOfReach::NoName)?;
    let address = found.next().ok_or(OutOfReach::NoAddress)?;
    // All of them, since whoever connects may try any.
    let mut all = std::iter::once(address).chain(found);
    match all.find(|address| !is_public(address.ip())) {
        Some(private) if !allow_private => Err(OutOfReach::Private(private.ip())),
        _ => Ok(address),
    }
}

/// Whether an address is one of the public internet: not this machine, its neighbours, or its cloud's metadata.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || a == 0
                // Carrier-grade NAT 100.64/10, benchmarking 198.18/15, reserved 240/4, protocol assignments 192.0.0/24.
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (b == 18 || b == 19))
                || a >= 240
                || matches!(ip.octets(), [192, 0, 0, _]))
        }
        IpAddr::V6(ip) => embedded(ip).map_or_else(
            || {
                // Only global unicast, 2000::/3, is public; documentation 2001:db8::/32 is not.
                let [first, second, ..] = ip.segments();
                first & 0xe000 == 0x2000 && !(first == 0x2001 && second == 0xdb8)
            },
            is_public,
        ),
    }
}

/// The IPv4 address inside of a mapped, NAT64 (64:ff9b::/96) or 6to4 (2002::/16) one.
fn embedded(ip: Ipv6Addr) -> Option<IpAddr> {
    if let Some(mapped) = ip.to_ipv4_mapped() {
        return Some(mapped.into());
    }
    let from = |high: u16, low: u16| {
        let address = (u32::from(high) << 16) | u32::from(low);
        Some(IpAddr::V4(address.into()))
    };
    match ip.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => from(high, low),
        _ => None,
    }
}
