//! One core beside two. On a machine of two the load takes one of them, so what can be shown is what a message costs when
//! the threads that serve are two, each on a core: two such cores do so many messages more than one as theirs are cheaper
//! than half.
use crate::{
    crowd, echo, load,
    peers::{ONE_CORE, Peer, Setting},
    run::{Part, Size},
};

pub(crate) const ECHO: [&str; 2] = ["echo, one core", "echo, two cores"];
pub(crate) const FAN_OUT: [&str; 2] = ["fan-out, one core", "fan-out, two cores"];

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
        let mut fan_out = crowd::visit_one(&server, size).await?.into_iter();
        let figures = fan_out.next().map(|(_, figures)| figures).unwrap_or_default();
        parts.extend(FAN_OUT.get(place).map(|name| (*name, figures)));
    }
    Ok(parts)
}
