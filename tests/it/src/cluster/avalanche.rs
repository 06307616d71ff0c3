//! P2 for ten thousand at once: the balancer dies, and all come back through its successor.
use std::time::Instant;

use ::cluster::{Cluster, Options};

use self::crowd::Crowd;
use super::{light::Light, storm::alone};
use crate::harness::{AppDir, binary, report, target};

mod crowd;

const CLIENTS: usize = 10_000;
/// A hundred in each.
const ROOMS: usize = 100;
const PATH: &str = "/probe/socket.io/";

#[test]
fn p2_ten_thousand_clients_cut_at_once_are_all_recovered() {
    let _alone = alone();
    raise_descriptors();
    let app = AppDir::probe("[limits]\nconnections = 20000\n");
    let options = Options {
        binary: binary(),
        apps: vec![app.path()],
        nats: 3,
        nodes: 3,
        at_once: false,
        arguments: Vec::new(),
        directory: target().join("cluster/avalanche"),
    };
    let mut cluster =
        Cluster::start(&options, |_, server| server.to_owned()).unwrap_or_else(|error| panic!("{error:#}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(cut_and_return(&mut cluster));
}

async fn cut_and_return(cluster: &mut Cluster) {
    let started = Instant::now();
    let crowd = Crowd::gather(CLIENTS, &cluster.nginx.address);
    crowd
        .reach("all in their rooms", |progress| progress.joined)
        .await;
    let connected = started.elapsed();
    // Straight to a node: it goes on speaking while the others are away.
    let mut speaker = Light::open(&cluster.nodes[0].address, PATH, None).await.unwrap();
    // One in three has heard no message when it is cut.
    say(&mut speaker, 1, hears_first).await;
    crowd
        .reach_count("the first message", heard_first(), |progress| progress.heard)
        .await;

    cluster.nginx.end().unwrap();
    crowd.reach("all cut off", |progress| progress.cut).await;
    say(&mut speaker, 2, |_| true).await;
    say(&mut speaker, 3, |_| true).await;
    cluster.nginx.start_again().unwrap();
    let opened = Instant::now();
    crowd.reach("all back", |progress| progress.returned).await;
    let back = opened.elapsed();
    say(&mut speaker, 4, |_| true).await;
    let due = heard_first() + 3 * CLIENTS;
    crowd
        .reach_count("everything", due, |progress| progress.heard)
        .await;
    let nodes: Vec<String> = cluster
        .nodes
        .iter()
        .map(|node| megabytes(&node.process))
        .collect();
    report::figure(&format!(
        "avalanche: {CLIENTS} clients on three nodes (connected in {:.1} s) cut at once: all back {:.1} s after the balancer, \
         {} recovered, 0 anew, {} attempts failed; peak memory of the nodes {} MB",
        connected.as_secs_f64(),
        back.as_secs_f64(),
        crowd.progress().recovered,
        crowd.progress().failures,
        nodes.join(", "),
    ));
    assert_eq!(crowd.progress().recovered, CLIENTS);
    for (number, heard) in crowd.end().await.into_iter().enumerate() {
        let first = if hears_first(number % ROOMS) { 1 } else { 2 };
        let due: Vec<u64> = (first..=4).collect();
        assert_eq!(heard, due, "client {number}");
    }
}

/// Whether the first message is said in a room.
fn hears_first(room: usize) -> bool {
    !room.is_multiple_of(3)
}

fn heard_first() -> usize {
    (0..CLIENTS).filter(|number| hears_first(number % ROOMS)).count()
}

/// Says a number in rooms, each accepted before the next.
async fn say(speaker: &mut Light, number: u64, is_told: impl Fn(usize) -> bool) {
    for room in (0..ROOMS).filter(|room| is_told(*room)) {
        let said = speaker
            .call(&format!(r#"["tell","room-{room}",{number}]"#))
            .await
            .unwrap();
        assert_eq!(said, "[]");
    }
}

fn megabytes(process: &::cluster::Process) -> String {
    process
        .memory()
        .map_or("?".into(), |(peak, _)| (peak >> 20).to_string())
}

/// Ten thousand sockets are more than a shell allows by default; the hard limit must do.
fn raise_descriptors() {
    let own = std::process::id().to_string();
    let raised = std::process::Command::new("prlimit")
        .args(["--pid", &own, "--nofile=20000:20000"])
        .status();
    assert!(
        raised.is_ok_and(|status| status.success()),
        "20,000 descriptors are needed"
    );
}
