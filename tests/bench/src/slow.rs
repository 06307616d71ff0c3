//! Clients that do not read while their room is flooded: what the server holds for them, and what becomes of them.
use std::time::Duration;

use anyhow::Context;
use tokio::{net::TcpSocket, time::timeout};

use crate::{
    client::Client,
    figures::Figures,
    load,
    peers::Running,
    run::{Part, Size},
};

pub(crate) const SLOW: &str = "slow clients";

/// Clients that do not read, and one that does.
pub(crate) const SLEEPERS: usize = 20;
const ROOM: &str = "flood";
/// 14 MiB for each of them: more than kernels hold for one, less than Wakeline's window.
const MESSAGES: u64 = 3500;
const MESSAGE_BYTES: usize = 4096;
/// Messages that the reader has not had yet.
const AHEAD: u64 = 16;
/// What the kernel holds for a client that does not read would hide the server's part.
const RECEIVE_BUFFER_BYTES: u32 = 16 << 10;
/// When nothing comes for so long, nothing more will.
const QUIET: Duration = Duration::from_secs(2);

pub(crate) async fn visit(server: &Running, _: &Size) -> anyhow::Result<Vec<Part>> {
    let target = server.target(0)?;
    let mut sleepers = Vec::new();
    for _ in 0..SLEEPERS {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        let stream = socket.connect(target.address).await?;
        let mut client = Client::join_over(stream, target, "").await?;
        client.call(&format!(r#"["join","{ROOM}"]"#)).await?;
        sleepers.push(client);
    }
    let mut reader = load::gather(server, 1, 1, |_| Some(ROOM.to_owned())).await?;
    let reader = reader.first_mut().context("no reader")?;
    let mut speaker = server.join(2).await?;
    let before = server.resident_bytes()?;
    let say = format!(r#"["say","{ROOM}","{}"]"#, "x".repeat(MESSAGE_BYTES));
    let (mut heard, used) = (0, server.used());
    for said in 1..=MESSAGES {
        speaker.emit(&say).await?;
        while said - heard > AHEAD {
            heard += reader.events().await?;
        }
    }
    while heard < MESSAGES {
        let events = timeout(QUIET, reader.events()).await;
        heard += events.context("the reader did not hear everything")??;
    }
    let used = server.used().since(used);
    let (after, peak) = (server.resident_bytes()?, server.peak_bytes()?);
    let (mut closed, mut recovered, mut got) = (0_u32, 0_u32, 0);
    for mut sleeper in sleepers {
        let is_open = drain(&mut sleeper).await;
        got += sleeper.events_seen;
        if !is_open {
            closed += 1;
            let mut again = Client::join_from(target, 3, &sleeper.recovery()).await?;
            if again.sid() == sleeper.sid() {
                recovered += 1;
                drain(&mut again).await;
                got += again.events_seen;
            }
        }
    }
    let mut figures = Figures::default();
    figures.set("cpu_us", used.total().as_secs_f64() * 1e6 / MESSAGES as f64);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    figures.set("before_mib", mib(before));
    figures.set("after_mib", mib(after));
    figures.set("peak_mib", mib(peak));
    figures.set(
        "held_kib",
        peak.saturating_sub(before) as f64 / 1024.0 / SLEEPERS as f64,
    );
    figures.set("closed_percent", f64::from(closed) * 100.0 / SLEEPERS as f64);
    figures.set(
        "recovered_percent",
        f64::from(recovered) * 100.0 / SLEEPERS as f64,
    );
    figures.set(
        "missed_percent",
        got as f64 * 100.0 / (MESSAGES * SLEEPERS as u64) as f64,
    );
    figures.set("errors", 0.0);
    Ok(vec![(SLOW, figures)])
}

/// Reads until nothing comes any more; whether the connection is still open.
async fn drain(client: &mut Client) -> bool {
    loop {
        match timeout(QUIET, client.text()).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return false,
            Err(_) => return true,
        }
    }
}
