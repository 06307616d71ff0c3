//! One core beside two. On a machine of two the load takes one of them, so what can be shown is what a message costs when
//! the threads that serve are two, each on a core: two such cores do so many messages more than one as theirs are cheaper
//! than half.
use crate::{
    crowd, echo, load,
    peers::{ONE_CORE, Peer, Setting},
    run::{Part, Size},
};

pub(crate) const ECHO: [&str; 2] = ["echo, one core", "echo, two cores"];
/// Flat out; and one message at a time, when no server can put several into one write: what two cores do less well flat out
/// is that, each having half of what there is to do, they find fewer messages waiting for a socket.
pub(crate) const FAN_OUT: [&str; 2] = ["fan-out, one core", "fan-out, two cores"];
pub(crate) const ONE_BY_ONE: [&str; 2] = ["fan-out one by one, one core", "fan-out one by one, two cores"];

const TWO_CORES: Setting = Setting {
    cores: Some("0,1"),
    threads: 2,
    counted: false,
};

pub(crate) async fn visit(peer: Peer, size: &Size) -> anyhow::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for (place, setting) in [ONE_CORE, TWO_CORES].iter().enumerate() {
        let server = peer.start(setting).await?;
        let clients = load::gather(&server, 0, size.clients, |_| None).await?;
        let (figures, _) = echo::saturate(&server, size, clients).await?;
        parts.extend(ECHO.get(place).map(|name| (*name, figures)));
        drop(server);
        let server = peer.start(setting).await?;
        for (part, figures) in crowd::visit_one(&server, size).await? {
            let names = match part {
                crowd::ONE => FAN_OUT,
                crowd::ONE_BY_ONE => ONE_BY_ONE,
                _ => continue,
            };
            parts.extend(names.get(place).map(|name| (*name, figures)));
        }
    }
    Ok(parts)
}
