//! Thousands of connections are cut at once, and all come back at once, as after a network that was away for a moment. What
//! was said meanwhile should reach them.
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use crate::{
    client::{Client, Target},
    figures::Figures,
    load::{self, Load, PAYLOAD},
    peers::Running,
    run::{Part, Size},
};

pub(crate) const AVALANCHE: &str = "avalanche";

const ROOM: &str = "all";
/// Said while everybody is away.
const MISSED: u64 = 10;
/// Of one attempt, then a second's pause, as stock clients have it.
const ATTEMPT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_secs(1);
/// Who is not back by then is lost.
const ENOUGH: Duration = Duration::from_secs(60);
/// A recovered client's missed messages come before it is told that it is connected, or right after.
const LATE: Duration = Duration::from_secs(2);

/// Who came back, and with what.
struct Back {
    after: Duration,
    is_same: bool,
    missed: u64,
}

pub(crate) async fn visit(server: &Running, size: &Size) -> anyhow::Result<Vec<Part>> {
    // Everybody and the speaker: as many descriptors as the process may have, at most.
    let count = size.avalanche;
    let before = server.resident_bytes()?;
    let mut clients = load::gather(server, 0, count, |_| Some(ROOM.to_owned())).await?;
    let mut speaker = server.join(0).await?;
    let say = format!(r#"["say","{ROOM}","{PAYLOAD}"]"#);
    // One message for everybody, so that there is an offset to come back with.
    speaker.emit(&say).await?;
    for client in &mut clients {
        client.until("42").await?;
    }
    let open = server.resident_bytes()?;
    let away: Vec<(String, String)> = clients
        .iter()
        .map(|client| (client.recovery(), client.sid().unwrap_or_default().to_owned()))
        .collect();
    let (load, used) = (Load::new(), server.used());
    let cut = Instant::now();
    drop(clients);
    for _ in 0..MISSED {
        speaker.emit(&say).await?;
    }
    let target = server.target(0)?;
    let coming = away
        .iter()
        .enumerate()
        .map(|(number, (auth, sid))| come_back(target, number, auth, sid, cut));
    let back: Vec<Option<(Back, Client)>> = stream::iter(coming).buffer_unordered(count).collect().await;
    let used = server.used().since(used);
    let back: Vec<Back> = back.into_iter().flatten().map(|(back, _)| back).collect();
    let mut figures = Figures::default();
    let percent = |part: usize| part as f64 / count as f64 * 100.0;
    figures.set("back_percent", percent(back.len()));
    figures.set(
        "recovered_percent",
        percent(back.iter().filter(|back| back.is_same).count()),
    );
    let missed: u64 = back.iter().map(|back| back.missed.min(MISSED)).sum();
    figures.set(
        "missed_percent",
        missed as f64 / (count as u64 * MISSED) as f64 * 100.0,
    );
    let _span = load.begin(server);
    back.iter().for_each(|back| load.took(back.after));
    load.times_into(&mut figures);
    figures.set("cpu_us", used.total().as_secs_f64() * 1e6 / count as f64);
    for (name, bytes) in [
        ("before_mib", before),
        ("open_mib", open),
        ("peak_mib", server.peak_bytes()?),
    ] {
        figures.set(name, bytes as f64 / f64::from(1 << 20));
    }
    Ok(vec![(AVALANCHE, figures)])
}

async fn come_back(
    target: &Target,
    number: usize,
    auth: &str,
    sid: &str,
    cut: Instant,
) -> Option<(Back, Client)> {
    while cut.elapsed() < ENOUGH {
        if let Ok(Ok(mut client)) = timeout(ATTEMPT, attempt(target, number, auth, sid)).await {
            let after = cut.elapsed();
            let is_same = client.sid() == Some(sid);
            if is_same {
                // What was missed comes in order; an error is a connection that ended, and is counted by what did not come.
                _ = timeout(LATE, async {
                    while client.events_seen < MISSED {
                        client.text().await?;
                    }
                    anyhow::Ok(())
                })
                .await;
            }
            let missed = if is_same { client.events_seen } else { 0 };
            return Some((
                Back {
                    after,
                    is_same,
                    missed,
                },
                client,
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}

/// Connected, and in its room again.
async fn attempt(target: &Target, number: usize, auth: &str, sid: &str) -> anyhow::Result<Client> {
    let mut client = Client::join_from(target, number, auth).await?;
    if client.sid() != Some(sid) {
        client.call(&format!(r#"["join","{ROOM}"]"#)).await?;
    }
    Ok(client)
}
