use super::*;

use backplane::Embedded;
use futures_util::future::FutureExt;

struct NoWire;

impl Wire for NoWire {
    fn ask(&self, node: Arc<Node>, _question: Bytes) -> BoxFuture<'static, Result<Bytes, Unreachable>> {
        let unreachable = Unreachable {
            node: node.name.clone(),
            reason: "nobody is asked here".into(),
        };
        std::future::ready(Err(unreachable)).boxed()
    }
}

fn node(name: &str) -> Node {
    Node {
        incarnation: Nodes::draw(),
        name: name.into(),
        address: String::new(),
        apps: BTreeMap::new(),
        catalogue: None,
        failed: std::collections::BTreeMap::new(),
        draining: false,
        gone: false,
    }
}

async fn join(backplane: &Arc<Embedded>, name: &str) -> Nodes {
    let nodes = Nodes::join(backplane.clone(), Arc::new(NoWire), node(name)).await;
    nodes.unwrap()
}

fn names(nodes: &Nodes) -> Vec<String> {
    let mut names: Vec<_> = nodes.others().iter().map(|node| node.name.clone()).collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn nodes_see_each_other_come_and_go() {
    let backplane = Arc::new(Embedded::in_memory());
    let (a, b) = (join(&backplane, "a").await, join(&backplane, "b").await);
    assert_eq!(names(&b), ["a"]);
    let mut changes = a.changes().unwrap();
    let keep_a = tokio::spawn(a.clone().keep(|| {}));
    let keep_b = tokio::spawn(b.clone().keep(|| {}));
    changes.changed().await.unwrap();
    assert_eq!(names(&a), ["b"]);
    b.update(|node| node.draining = true);
    changes.changed().await.unwrap();
    assert!(a.others()[0].draining);
    keep_b.abort();
    b.leave().await.unwrap();
    changes.changed().await.unwrap();
    assert_eq!(names(&a), [""; 0]);
    keep_a.abort();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_falls_silent_is_dead_after_its_lease_and_its_lease_is_removed() {
    let backplane = Arc::new(Embedded::in_memory());
    let (a, b) = (join(&backplane, "a").await, join(&backplane, "b").await);
    let keep_a = tokio::spawn(a.clone().keep(|| {}));
    let mut changes = a.changes().unwrap();
    changes.changed().await.unwrap();
    let silent = Instant::now();
    changes.changed().await.unwrap();
    assert!(silent.elapsed() > LEASE && silent.elapsed() < LEASE + 3 * RENEWAL);
    assert_eq!(names(&a), [""; 0]);
    assert!(a.find(b.incarnation()).await.unwrap().is_none());
    // Back to life, it is one of them again, and knows that it was away.
    let (told, lapsed) = tokio::sync::oneshot::channel();
    let mut told = Some(told);
    let keep_b = tokio::spawn(b.clone().keep(move || {
        if let Some(told) = told.take() {
            told.send(()).unwrap();
        }
    }));
    changes.changed().await.unwrap();
    assert_eq!(names(&a), ["b"]);
    lapsed.await.unwrap();
    keep_a.abort();
    keep_b.abort();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_not_known_yet_is_looked_for() {
    let backplane = Arc::new(Embedded::in_memory());
    let a = join(&backplane, "a").await;
    let b = join(&backplane, "b").await;
    assert_eq!(names(&a), [""; 0], "a has not looked since");
    assert_eq!(a.find(b.incarnation()).await.unwrap().unwrap().name, "b");
    assert!(a.find(17).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn ids_that_clients_make_up_do_not_hold_up_what_nodes_look_for() {
    let backplane = Arc::new(Embedded::in_memory());
    let a = join(&backplane, "a").await;
    let (b, left) = (join(&backplane, "b").await, join(&backplane, "left").await);
    left.leave().await.unwrap();
    for made_up in 1..=CLAIMED_MAX as u64 {
        assert_eq!(a.find_claimed(made_up).await, Ok(None));
    }
    assert_eq!(a.find_claimed(1).await, Ok(None), "it is asked for already");
    assert!(matches!(
        a.find_claimed(b.incarnation()).await,
        Err(Error::Unavailable(_))
    ));
    // Recovery goes on: from nodes that live, and from those that are gone.
    assert_eq!(a.find(left.incarnation()).await, Ok(None));
    assert_eq!(a.find(b.incarnation()).await.unwrap().unwrap().name, "b");
    assert!(a.find_claimed(b.incarnation()).await.unwrap().is_some());
    tokio::time::advance(UNKNOWN_KEPT).await;
    assert_eq!(a.find_claimed(left.incarnation()).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_says_its_node_has_left_is_not_read_for_every_socket() {
    let backplane = Arc::new(Embedded::in_memory());
    let (a, left) = (join(&backplane, "a").await, join(&backplane, "left").await);
    left.leave().await.unwrap();
    let is_unknown = |id| {
        let view = &a.0.cluster.as_ref().unwrap().view;
        view.lock().is_unknown(id)
    };
    assert!(!is_unknown(left.incarnation()));
    assert_eq!(a.find(left.incarnation()).await, Ok(None));
    assert!(is_unknown(left.incarnation()));
}

#[tokio::test(start_paused = true)]
async fn all_agree_who_does_what_and_a_draining_node_does_nothing() {
    let backplane = Arc::new(Embedded::in_memory());
    let a = join(&backplane, "a").await;
    let b = join(&backplane, "b").await;
    a.round().await.unwrap();
    let tasks: Vec<String> = (0..100).map(|task| task.to_string()).collect();
    assert!(tasks.iter().all(|task| a.is_chosen(task) != b.is_chosen(task)));
    let of_a = tasks.iter().filter(|task| a.is_chosen(task)).count();
    assert!((20..80).contains(&of_a), "{of_a} of 100");
    b.update(|node| node.draining = true);
    b.renew().await.unwrap();
    a.round().await.unwrap();
    assert!(tasks.iter().all(|task| a.is_chosen(task) && !b.is_chosen(task)));
}
