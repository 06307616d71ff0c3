//! Handshake and CONNECT over a WebSocket, each on a new connection; then everybody leaves.
use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};

use crate::{
    load::{Load, per_message},
    peers::Running,
    run::{Part, Size},
};

pub(crate) const CONNECT: &str = "connect";

/// Connecting at once; and before anything is counted.
const AT_ONCE: usize = 64;
const WARM_UP: usize = 200;

pub(crate) async fn visit(server: &Running, size: &Size) -> anyhow::Result<Vec<Part>> {
    let mut held = open(&Load::new(), server, 0, WARM_UP).await;
    let load = Load::new();
    let span = load.begin(server);
    held.extend(open(&load, server, WARM_UP, size.sessions).await);
    let mut figures = load.finish(server, &span);
    quiet(server).await;
    let before = server.used();
    let leaving = held.len() as u64;
    drop(held);
    quiet(server).await;
    let left = per_message(server.used().since(before), leaving);
    figures.set("leave_us", left.get("cpu_us").unwrap_or(0.0));
    Ok(vec![(CONNECT, figures)])
}

async fn open(load: &Rc<Load>, server: &Running, first: usize, count: usize) -> Vec<crate::client::Client> {
    let opening = (first..first + count).map(|number| async move {
        let begun = Instant::now();
        match server.join(number).await {
            Ok(client) => {
                load.took(begun.elapsed());
                load.done(1);
                Some(client)
            }
            Err(error) => {
                load.failed(1, error);
                None
            }
        }
    });
    let opened = stream::iter(opening).buffer_unordered(AT_ONCE);
    opened.filter_map(std::future::ready).collect().await
}

/// Until the server has nothing left to do, for a while at most.
async fn quiet(server: &Running) {
    const LOOK: Duration = Duration::from_millis(200);
    const LOOKS: u32 = 25;
    for _ in 0..LOOKS {
        let before = server.used();
        tokio::time::sleep(LOOK).await;
        if server.used().since(before).total() < LOOK / 40 {
            return;
        }
    }
}
