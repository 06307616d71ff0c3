//! How long clients hear nothing when the leader of their app's log dies, beside what JetStream itself takes: on the
//! same stream, in the same run, so that it is the same election.
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use ::cluster::{Cluster, Options};
use parking_lot::Mutex;
use tokio::{
    runtime::Builder,
    task::JoinSet,
    time::{interval, sleep, timeout},
};

use self::raw::Raw;
use super::{light::Light, storm::alone};
use crate::harness::{AppDir, binary, report, target};

mod raw;

const PATH: &str = "/probe/socket.io/";
/// Each with another leader, and elections of other lengths.
const ROUNDS: usize = 3;
/// Between two messages: how finely a pause is seen.
const TICK: Duration = Duration::from_millis(20);
/// Heard without a pause, by then the round is over.
const CALM: u64 = 200;
/// A node whose consumer died with the server asks for another every quarter of a second, and servers put each on the
/// dead one again one time in three: ten in a row are one in 60,000, and on a busy machine ten take longer. (JetStream's
/// own ordered consumer comes back much later, if at all.)
const ALLOWANCE: Duration = Duration::from_secs(4);
/// A guard against hanging.
const PATIENCE: Duration = Duration::from_mins(2);

/// When one listener heard something last, and its longest wait since it was told to forget.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    count: u64,
    last: Option<Instant>,
    longest: Duration,
}

impl Ear {
    fn hears(&self) {
        let mut heard = self.0.lock();
        let now = Instant::now();
        if let Some(last) = heard.last.replace(now) {
            heard.longest = heard.longest.max(now - last);
        }
        heard.count += 1;
    }

    fn forget(&self) {
        self.0.lock().longest = Duration::ZERO;
    }

    fn count(&self) -> u64 {
        self.0.lock().count
    }

    /// What lasts still is one, too.
    fn longest(&self) -> Duration {
        let heard = self.0.lock();
        let lasting = heard.last.map_or(Duration::ZERO, |last| last.elapsed());
        heard.longest.max(lasting)
    }
}

/// The longest wait of each listener.
struct Pauses(Vec<Duration>);

impl Pauses {
    fn of<'a>(ears: impl IntoIterator<Item = &'a Ear>) -> Self {
        Self(ears.into_iter().map(Ear::longest).collect())
    }

    fn longest(&self) -> Duration {
        self.0.iter().copied().max().unwrap_or_default()
    }

    fn shortest(&self) -> Duration {
        self.0.iter().copied().min().unwrap_or_default()
    }
}

impl fmt::Display for Pauses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.iter().map(|pause| format!("{:.2}", pause.as_secs_f64()));
        write!(formatter, "{} s", seconds.collect::<Vec<_>>().join(", "))
    }
}

#[test]
fn p6_no_pause_is_longer_than_jetstreams_own_when_its_leader_dies() {
    let _alone = alone();
    let app = AppDir::probe("");
    let options = Options {
        binary: binary(),
        apps: vec![app.path()],
        nats: 3,
        nodes: 3,
        at_once: false,
        arguments: Vec::new(),
        directory: target().join("cluster/leader"),
    };
    let mut cluster =
        Cluster::start(&options, |_, server| server.to_owned()).unwrap_or_else(|error| panic!("{error:#}"));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // Dropped at the end, and all who speak and listen with it.
        let mut tasks = JoinSet::new();
        let ears = listen(&cluster, &mut tasks).await;
        hear(&ears, CALM).await;
        for round in 1..=ROUNDS {
            kill_leader(&mut cluster, &ears, round).await;
        }
    });
}

async fn kill_leader(cluster: &mut Cluster, ears: &[Ear], round: usize) {
    let servers = &mut cluster.nats.servers;
    let urls: Vec<String> = servers
        .iter()
        .map(|server| format!("nats://{}", server.address))
        .collect();
    let raw = Raw::start(&urls).await;
    hear(&raw.ears, CALM).await;
    let leader = raw.leader().await;
    let leader = servers.iter_mut().find(|server| server.name == leader).unwrap();
    let all = || ears.iter().chain(&raw.ears).chain(&raw.leaders);
    all().for_each(Ear::forget);
    leader.process.kill();
    // What was on its way comes before the pause: what follows it is more than that.
    hear(ears, CALM).await;
    raw.somebody_hears(CALM).await;
    let (own, theirs) = (Pauses::of(ears), Pauses::of(&raw.ears));
    let elections = Pauses::of(&raw.leaders).longest();
    leader.process.start_again().unwrap();
    cluster.nats.wait_until_ready().unwrap();
    report::figure(&format!(
        "NATS leader killed, {} ×3, round {round}: longest pause through Wakeline {own}; raw JetStream on the same \
         stream {theirs}; longest election of what it led {:.2} s",
        cluster.nats.version,
        elections.as_secs_f64(),
    ));
    // The luckiest of them waited for the election alone.
    let allowed = theirs.shortest().max(elections) + ALLOWANCE;
    assert!(own.longest() <= allowed, "{own} is more than {allowed:?}");
}

/// One speaks on the first node without a pause; one listens on each of the others.
async fn listen(cluster: &Cluster, tasks: &mut JoinSet<()>) -> Vec<Ear> {
    let mut ears = Vec::new();
    for node in cluster.nodes.iter().skip(1) {
        let mut light = Light::open(&node.address, PATH, None).await.unwrap();
        light.call(r#"["join","hall"]"#).await.unwrap();
        let ear = Ear::default();
        ears.push(ear.clone());
        tasks.spawn(async move {
            loop {
                light.hear().await.unwrap();
                light.heard.drain(..).for_each(|_| ear.hears());
            }
        });
    }
    let mut speaker = Light::open(&cluster.nodes[0].address, PATH, None).await.unwrap();
    tasks.spawn(async move {
        let mut ticks = interval(TICK);
        for number in 0u64.. {
            tokio::select! {
                _ = ticks.tick() => {}
                // Nothing, but pings are answered meanwhile.
                heard = speaker.hear() => heard.unwrap(),
            }
            speaker
                .send(&format!(r#"42["say","hall",{number}]"#))
                .await
                .unwrap();
        }
    });
    ears
}

/// Until every listener has heard so many more.
async fn hear(ears: &[Ear], more: u64) {
    let goals: Vec<u64> = ears.iter().map(|ear| ear.count() + more).collect();
    let heard = async {
        while ears.iter().zip(&goals).any(|(ear, goal)| ear.count() < *goal) {
            sleep(TICK).await;
        }
    };
    timeout(PATIENCE, heard).await.expect("somebody hears nothing");
}
