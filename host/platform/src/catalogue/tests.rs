use std::{sync::Arc, time::Duration};

use backplane::{Backplane, Embedded};
use tokio::time::Instant;

use crate::{Catalogue, Ceilings, Digest, Platform};

struct Cluster {
    backplane: Arc<dyn Backplane>,
    platform: Platform,
}

impl Cluster {
    fn new() -> Self {
        let backplane: Arc<dyn Backplane> = Arc::new(Embedded::in_memory());
        Self {
            platform: Platform::new(Arc::clone(&backplane), Ceilings::none(), None),
            backplane,
        }
    }

    async fn node(&self) -> Catalogue {
        Catalogue::open(Arc::clone(&self.backplane)).await.unwrap()
    }

    /// A version of `app`, live for all.
    async fn deploy(&self, app: &str, component: &'static str) -> u32 {
        self.platform.put_manifest(app, "", "test").await.unwrap();
        let draft = self.platform.draft(app).await.unwrap();
        let added = self.platform.add_version(app, &draft, component.into(), "test");
        let version = added.await.unwrap().version;
        self.platform.set_live(app, version, 100, "test").await.unwrap();
        version
    }
}

fn texts(names: impl IntoIterator<Item = Arc<str>>) -> Vec<String> {
    let mut names: Vec<_> = names.into_iter().map(|name| name.to_string()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn follows() {
    let cluster = Cluster::new();
    let node = cluster.node().await;
    assert!(node.is_empty());
    cluster.platform.put_manifest("idle", "", "test").await.unwrap();
    cluster.deploy("chat", "one").await;
    assert_eq!(texts(node.refresh().await.unwrap()), ["chat"]);
    assert!(
        node.get("idle").is_none(),
        "nothing of it is live: it is no entry"
    );

    let entry = node.get("chat").unwrap();
    assert_eq!(entry.stable.version, 1);
    assert_eq!(entry.stable.component, Digest::of(b"one").0);
    assert!(node.refresh().await.unwrap().is_empty());

    cluster.deploy("chat", "two").await;
    node.refresh().await.unwrap();
    assert_eq!(node.get("chat").unwrap().stable.version, 2);

    let applied = cluster.platform.delete("chat", "test").await.unwrap();
    assert_eq!(texts(node.refresh().await.unwrap()), ["chat"]);
    assert_eq!(node.applied(), applied);
    assert_eq!(node.len(), 0);
}

#[tokio::test]
async fn one_that_comes_late_has_all() {
    let cluster = Cluster::new();
    cluster.deploy("a", "one").await;
    cluster.deploy("b", "one").await;
    let late = cluster.node().await;
    assert_eq!(texts(late.names()), ["a", "b"]);
    assert_eq!(late.applied(), 2);
    let (a, b) = (late.get("a").unwrap(), late.get("b").unwrap());
    assert!(
        Arc::ptr_eq(&a.stable.manifest, &b.stable.manifest),
        "one text is kept once"
    );
}

#[tokio::test]
async fn one_that_was_away_catches_up() {
    let cluster = Cluster::new();
    let near = cluster.node().await;
    let far = cluster.node().await;
    cluster.deploy("first", "one").await;
    near.refresh().await.unwrap();
    // Within the names that are kept, beyond them, and with one that went while nobody looked.
    for (count, name) in [(100, "chat"), (200, "game")] {
        for n in 0..count / 2 {
            cluster.deploy(name, if n % 2 == 0 { "one" } else { "two" }).await;
            cluster.deploy(&format!("{name}-{n}"), "one").await;
        }
        assert_eq!(near.refresh().await.unwrap().len(), 1 + count / 2);
    }
    cluster.platform.delete("first", "test").await.unwrap();
    assert_eq!(texts(near.refresh().await.unwrap()), ["first"]);
    assert_eq!(
        far.refresh().await.unwrap().len(),
        152,
        "all but the one that it never had"
    );
    assert_eq!(far.applied(), near.applied());
    assert_eq!(far.names(), near.names());
    for name in near.names() {
        assert_eq!(far.get(&name), near.get(&name));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers() {
    let cluster = Arc::new(Cluster::new());
    let node = cluster.node().await;
    let writers = (0..8).map(|writer| {
        let cluster = Arc::clone(&cluster);
        tokio::spawn(async move {
            for _ in 0..10 {
                cluster.deploy("shared", "one").await;
                cluster.deploy(&format!("own-{writer}"), "one").await;
                cluster.deploy(&format!("own-{writer}"), "two").await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    node.refresh().await.unwrap();
    assert_eq!(node.len(), 9);
    // Each writer's own app went to and fro; the shared one got live once, however many asked.
    assert_eq!(node.applied(), 8 * 20 + 1);
    assert_eq!(cluster.platform.versions("shared").await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hint_wakes_at_once() {
    let cluster = Cluster::new();
    let node = cluster.node().await;
    cluster.deploy("chat", "one").await;
    cluster.deploy("chat", "two").await;
    let start = Instant::now();
    node.changed().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    node.refresh().await.unwrap();
    assert_eq!(node.get("chat").unwrap().stable.version, 2);
    node.changed().await;
    assert_eq!(start.elapsed(), Duration::from_secs(5), "both hints were one");
}

#[tokio::test(start_paused = true)]
async fn without_a_hint_it_looks_all_the_same() {
    let cluster = Cluster::new();
    let node = cluster.node().await;
    cluster.deploy("chat", "one").await;
    node.changed().await;
    node.refresh().await.unwrap();
    // What is written past the platform is hinted at by nobody.
    let start = Instant::now();
    node.changed().await;
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_keeps_nobody_back() {
    let cluster = Cluster::new();
    let node = cluster.node().await;
    cluster.deploy("chat", "one").await;
    cluster.deploy("game", "one").await;
    let broken = backplane::Change {
        key: "app/chat".into(),
        value: Some("{".into()),
        condition: backplane::Condition::Always,
    };
    cluster.backplane.write("apps", vec![broken]).await.unwrap();
    assert_eq!(texts(node.refresh().await.unwrap()), ["game"]);
}

#[test]
fn entries_are_small() {
    // Thousands of them lie in memory; the texts beside them are shared.
    assert!(size_of::<crate::Entry>() <= 250, "{}", size_of::<crate::Entry>());
}
