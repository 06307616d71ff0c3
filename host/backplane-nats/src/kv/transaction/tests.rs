use std::sync::Arc;

use backplane::{Backplane, Condition};
use bytes::Bytes;

use super::*;
use crate::{Nats, NatsConfig};

#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../../../tests/nats/server.rs"]
mod server;

async fn connect(server: &server::Server) -> Nats {
    connect_to(server.url(), 1).await.unwrap()
}

async fn connect_to(servers: String, replicas: u8) -> Result<Nats, crate::ConnectError> {
    let config = NatsConfig {
        servers,
        replicas,
        ..NatsConfig::default()
    };
    Nats::connect(config).await
}

fn put(key: &str, value: &str, condition: Condition) -> Change {
    Change {
        key: key.into(),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        condition,
    }
}

fn remove(key: &str) -> Change {
    Change {
        value: None,
        ..put(key, "", Condition::Always)
    }
}

/// Two keys that are there, and what a transaction is to make of them and of a third.
async fn prepare(nats: &Nats) -> (Vec<u64>, Vec<Change>) {
    let mut revisions = Vec::new();
    for key in ["changed", "removed"] {
        let written = nats.write(BUCKET, vec![put(key, "old", Condition::Absent)]).await;
        revisions.extend(written.unwrap());
    }
    let changes = vec![
        put("made", "new", Condition::Absent),
        remove("removed"),
        put("changed", "new", Condition::Revision(revisions[0])),
    ];
    (revisions, changes)
}

async fn value(nats: &Nats, key: &str) -> Option<(String, u64)> {
    let value = nats.get(BUCKET, key).await.unwrap()?;
    Some((String::from_utf8(value.bytes.to_vec()).unwrap(), value.revision))
}

async fn check_as_before(nats: &Nats, revisions: &[u64]) {
    assert_eq!(value(nats, "changed").await, Some(("old".into(), revisions[0])));
    assert_eq!(value(nats, "removed").await, Some(("old".into(), revisions[1])));
    assert_eq!(value(nats, "made").await, None);
    assert_eq!(
        nats.keys(BUCKET, "", None, 9).await.unwrap(),
        ["changed", "removed"]
    );
    // The revisions that callers have are good still.
    let write = vec![put("changed", "later", Condition::Revision(revisions[0]))];
    nats.write(BUCKET, write).await.unwrap();
}

async fn check_committed(nats: &Nats) {
    assert_eq!(nats.keys(BUCKET, "", None, 9).await.unwrap(), ["changed", "made"]);
    let (changed, revision) = value(nats, "changed").await.unwrap();
    assert_eq!(changed, "new");
    assert_eq!(value(nats, "removed").await, None);
    assert_eq!(value(nats, "made").await.unwrap().0, "new");
    let write = vec![put("changed", "later", Condition::Revision(revision))];
    nats.write(BUCKET, write).await.unwrap();
}

/// Two nodes; one of them begins a transaction and is not heard of again.
struct Begun {
    dies: Nats,
    lives: Nats,
    /// Before it, of "changed" and "removed".
    revisions: Vec<u64>,
    placed: Vec<Placed>,
    _server: server::Server,
}

impl Begun {
    /// With intents on the first `intents` of its keys.
    async fn with(intents: usize) -> Self {
        let server = server::Server::start();
        let (dies, lives) = (connect(&server).await, connect(&server).await);
        let (revisions, changes) = prepare(&dies).await;
        let (placed, met) = dies
            .buckets()
            .place(BUCKET, TRANSACTION, &changes[..intents])
            .await
            .unwrap();
        assert!(met.is_none() && placed.len() == intents);
        Self {
            dies,
            lives,
            revisions,
            placed,
            _server: server,
        }
    }

    /// What was decided, which may not be what it wants.
    async fn decide(&self, committed: bool) -> bool {
        let keys = self.placed.iter().map(|one| one.key.clone()).collect();
        let wanted = Decision { committed, keys };
        let decided = self.dies.buckets().decide(BUCKET, TRANSACTION, &wanted).await;
        decided.unwrap().committed
    }

    async fn settle_one(&self, committed: bool) {
        let one = &self.placed[0];
        self.dies
            .buckets()
            .settle(BUCKET, &one.key, one.sequence, &one.intent, committed)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn died_with_some_intents() {
    let begun = Begun::with(2).await;
    check_as_before(&begun.lives, &begun.revisions).await;
}

#[tokio::test]
async fn died_undecided_and_comes_back() {
    let begun = Begun::with(3).await;
    check_as_before(&begun.lives, &begun.revisions).await;
    assert!(!begun.decide(true).await, "it was taken for dead");
    let finished = begun
        .dies
        .buckets()
        .finish(BUCKET, TRANSACTION, &begun.placed, false)
        .await;
    finished.unwrap();
    assert_eq!(value(&begun.lives, "changed").await.unwrap().0, "later");
}

#[tokio::test]
async fn died_decided() {
    let begun = Begun::with(3).await;
    assert!(begun.decide(true).await);
    check_committed(&begun.lives).await;
}

#[tokio::test]
async fn died_half_done() {
    let begun = Begun::with(3).await;
    assert!(begun.decide(true).await);
    begun.settle_one(true).await;
    check_committed(&begun.lives).await;
}

#[tokio::test]
async fn aborted_half_done() {
    let begun = Begun::with(3).await;
    assert!(!begun.decide(false).await);
    begun.settle_one(false).await;
    check_as_before(&begun.lives, &begun.revisions).await;
}

/// Money moves between accounts on two nodes; none is made or lost, and no account's change is overwritten.
#[tokio::test]
async fn transfers_keep_the_sum() {
    let server = server::Server::start();
    check_transfers([connect(&server).await, connect(&server).await]).await;
}

/// Where old servers would let several writers of one revision through.
#[tokio::test]
async fn transfers_keep_the_sum_on_three_servers() {
    let cluster = server::Cluster::start();
    let first = loop {
        // Its servers have to know each other, and to elect. One that is not told how many copies makes do with one before that.
        match connect_to(cluster.urls(), 3).await {
            Ok(nats) => break nats,
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    };
    check_transfers([first, connect_to(cluster.urls(), 3).await.unwrap()]).await;
}

async fn check_transfers(nodes: [Nats; 2]) {
    const ACCOUNTS: u64 = 4;
    for account in 0..ACCOUNTS {
        let write = vec![put(&account.to_string(), "100", Condition::Absent)];
        nodes[0].write(BUCKET, write).await.unwrap();
    }
    let movers = (0..6u64).map(|mover| {
        let nats = nodes[mover as usize % 2].clone();
        tokio::spawn(async move {
            let mut moved = 0;
            for turn in 0..20 {
                let (from, to) = (
                    (mover + turn) % ACCOUNTS,
                    (mover + turn + 1 + turn % 3) % ACCOUNTS,
                );
                moved += u32::from(transfer(&nats, from, to).await);
            }
            moved
        })
    });
    let mut moved = 0;
    for mover in movers.collect::<Vec<_>>() {
        moved += mover.await.unwrap();
    }
    assert!(moved > 0);
    let mut sum = 0;
    for account in 0..ACCOUNTS {
        sum += value(&nodes[1], &account.to_string())
            .await
            .unwrap()
            .0
            .parse::<i64>()
            .unwrap();
    }
    assert_eq!(sum, 400);
}

async fn transfer(nats: &Nats, from: u64, to: u64) -> bool {
    let (from, to) = (from.to_string(), to.to_string());
    let (has, at) = value(nats, &from).await.unwrap();
    let (gets, to_at) = value(nats, &to).await.unwrap();
    let changed = |text: &str, by: i64| (text.parse::<i64>().unwrap() + by).to_string();
    let write = vec![
        put(&from, &changed(&has, -1), Condition::Revision(at)),
        put(&to, &changed(&gets, 1), Condition::Revision(to_at)),
    ];
    match nats.write(BUCKET, write).await {
        Ok(_) => true,
        Err(Error::Conflict { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

impl Nats {
    fn buckets(&self) -> Arc<Buckets> {
        Arc::clone(&self.inner().buckets)
    }
}

const BUCKET: &str = "bucket";
const TRANSACTION: u64 = 7;
