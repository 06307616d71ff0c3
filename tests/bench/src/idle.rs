//! Resident memory of a session that says nothing: joined, in a room of ten, recoverable where that is on, its handler asleep.
use crate::{
    figures::Figures,
    load,
    peers::Running,
    run::{Part, Size},
};

pub(crate) const IDLE: &str = "idle";

/// Sessions that are opened first and not counted: what a server allocates once is not a session's, and what it has free from
/// its start is used up. Wakeline has some three megabytes of that: after 500 sessions they would hide two
/// thirds of what 2,000 more take.
const WARM_UP: usize = 4000;

pub(crate) async fn visit(server: &Running, size: &Size) -> anyhow::Result<Vec<Part>> {
    Ok(vec![(IDLE, idle(server, size).await?)])
}

pub(crate) async fn idle(server: &Running, size: &Size) -> anyhow::Result<Figures> {
    let room = |number: usize| Some(format!("room-{}", number / 10));
    let mut warm = load::gather(server, 0, WARM_UP, room).await?;
    let before = server.settled_bytes().await?;
    let mut sessions = load::gather(server, WARM_UP, size.sessions, room).await?;
    let after = server.settled_bytes().await?;
    let mut figures = Figures::default();
    figures.set(
        "session_bytes",
        after.saturating_sub(before) as f64 / size.sessions as f64,
    );
    figures.set("before_mib", before as f64 / f64::from(1 << 20));
    figures.set("after_mib", after as f64 / f64::from(1 << 20));
    // The sockets are open, not forgotten: each can still speak, and wakes the handler.
    let mut errors = 0;
    for client in warm.iter_mut().take(1).chain(sessions.iter_mut().take(1)) {
        let answer = client.call(r#"["echo","awake"]"#).await?;
        errors += u8::from(answer != r#"["awake"]"#);
    }
    figures.set("errors", f64::from(errors));
    Ok(figures)
}
