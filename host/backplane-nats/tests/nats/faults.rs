//! Servers that die, stop, lose and come back.
use std::{collections::HashSet, fs, path::Path, time::Duration};

use async_nats::jetstream;
use backplane::{Backplane, Change, Condition, Error, Step, Tail};
use backplane_nats::Nats;
use tokio::{task::JoinHandle, time::timeout};

use crate::{
    HANG, append, connect, connect_with, next,
    proxy::Proxy,
    server::{Cluster, Server},
    step, take,
};

const APPENDERS: usize = 4;
const EACH: usize = 150;

/// The first `without_keys` of them append as nodes mostly do: what was not read in time is sent again, and stored once.
/// For faults that pass well within the time that one append may take.
fn appenders(nats: &Nats, without_keys: usize) -> Vec<JoinHandle<()>> {
    let appender = |appender: usize| {
        let nats = nats.clone();
        tokio::spawn(async move {
            for number in 0..EACH {
                let text = format!("{appender}:{number}");
                if appender < without_keys {
                    append(&nats, "app", &text).await;
                } else {
                    append_until_told(&nats, &text).await;
                }
            }
        })
    };
    (0..APPENDERS).map(appender).collect()
}

/// Appends what is said once, by its text, as a node does that was not told what became of it.
async fn append_until_told(nats: &Nats, text: &str) {
    loop {
        match nats
            .append("app", vec![crate::entry(text)], Some(text.to_owned()))
            .await
        {
            Ok(_) => return,
            // It took longer than one append may take: a busy machine, and servers that elect.
            Err(Error::Unavailable(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Looks again and again for what nobody tells.
async fn until(is_so: impl Fn() -> bool) {
    let look = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(HANG, look).await.expect("it never is");
}

/// Everything once, each appender's in order, whatever happens after `some` are seen.
async fn check_all_once(
    tail: &mut Tail,
    appenders: Vec<JoinHandle<()>>,
    some: usize,
    fault: impl AsyncFnOnce(),
) {
    let mut seen = take(tail, some).await;
    fault().await;
    seen.extend(take(tail, APPENDERS * EACH - some).await);
    for appender in appenders {
        appender.await.unwrap();
    }
    for appender in 0..APPENDERS {
        let prefix = format!("{appender}:");
        let own = seen.iter().filter_map(|text| text.strip_prefix(&prefix));
        assert!(own.eq((0..EACH).map(|number| number.to_string())), "{seen:?}");
    }
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), seen.len());
}

#[tokio::test]
async fn server_killed_while_appending() {
    let mut server = Server::start();
    let nats = connect(&server.url()).await;
    let mut tail = nats.tail("app").await.unwrap();
    let start = tail.start;
    assert_eq!(nats.stats().reconnects, 0);
    let running = appenders(&nats, APPENDERS / 2);
    check_all_once(&mut tail, running, 100, async || {
        server.kill();
        until(|| !nats.is_connected()).await;
        server.restart();
    })
    .await;
    assert_eq!(
        nats.read("app", start, usize::MAX).await.unwrap().len(),
        APPENDERS * EACH
    );
    let stats = nats.stats();
    assert!(stats.reconnects > 0 && stats.gaps == 0, "{stats:?}");
    assert_eq!(stats.appends as usize, APPENDERS * EACH);
}

#[tokio::test]
async fn server_stopped_while_appending() {
    let server = Server::start();
    let nats = connect(&server.url()).await;
    let mut tail = nats.tail("app").await.unwrap();
    let running = appenders(&nats, APPENDERS / 2);
    check_all_once(&mut tail, running, 100, async || {
        server.signal("-STOP");
        // Longer than one attempt waits for its answer.
        tokio::time::sleep(Duration::from_secs(5)).await;
        server.signal("-CONT");
    })
    .await;
}

#[tokio::test]
async fn link_cut_while_appending() {
    let server = Server::start();
    let proxy = Proxy::start(server.address()).await;
    let nats = connect(&proxy.url()).await;
    check_cut(&nats, &proxy).await;
}

#[tokio::test]
async fn link_cut_where_another_thread_took_the_logs() {
    let server = Server::start();
    let proxy = Proxy::start(server.address()).await;
    let nats = connect(&proxy.url()).await;
    nats.take_logs().await.unwrap();
    check_cut(&nats, &proxy).await;
}

async fn check_cut(nats: &Nats, proxy: &Proxy) {
    let mut tail = nats.tail("app").await.unwrap();
    let running = appenders(nats, APPENDERS / 2);
    check_all_once(&mut tail, running, 100, async || {
        proxy.cut();
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy.mend();
    })
    .await;
}

#[tokio::test]
async fn appends_end_if_the_thread_that_took_the_logs_does() {
    let server = Server::start();
    let nats = connect(&server.url()).await;
    let taking = nats.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async move {
            taking.take_logs().await.unwrap();
            append(&taking, "app", "text").await;
        });
    });
    thread.join().unwrap();
    let refused = nats.append("app", vec![crate::entry("text")], None).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn appends_end_if_the_server_does_not_come_back() {
    let mut server = Server::start();
    let nats = connect(&server.url()).await;
    append(&nats, "app", "text").await;
    server.kill();
    let refused = nats.append("app", vec![crate::entry("text")], None).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    let refused = nats.publish("topic", "text".into()).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn leader_killed_while_appending() {
    let mut cluster = Cluster::start();
    let nats = connect_with(&cluster.urls(), 3).await;
    assert_eq!(nats.server().replicas, 3);
    let mut tail = nats.tail("app").await.unwrap();
    append(&nats, "app", "first").await;
    assert_eq!(take(&mut tail, 1).await, ["first"]);
    let client = async_nats::connect(cluster.servers[0].url()).await.unwrap();
    let context = jetstream::new(client);
    let mut leader = None;
    for partition in 0..8 {
        let stream = context
            .get_stream(format!("WAKELINE_log_{partition}"))
            .await
            .unwrap();
        if stream.cached_info().state.messages > 0 {
            leader = stream.cached_info().cluster.as_ref().unwrap().leader.clone();
        }
    }
    let leader: usize = leader.unwrap().trim_start_matches('n').parse().unwrap();
    let running = appenders(&nats, 0);
    check_all_once(&mut tail, running, 100, async || cluster.servers[leader].kill()).await;
}

#[tokio::test]
async fn server_that_stops_is_left() {
    let cluster = Cluster::start();
    let nats = connect(&cluster.servers[0].url()).await;
    let mut tail = nats.tail("app").await.unwrap();
    // Lame duck mode: it tells its clients to go.
    cluster.servers[0].signal("-USR2");
    until(|| nats.stats().reconnects >= 2 && nats.is_connected()).await;
    append(&nats, "app", "text").await;
    assert_eq!(take(&mut tail, 1).await, ["text"]);
}

#[tokio::test]
async fn entries_purged_while_a_node_is_away() {
    let server = Server::start();
    let proxy = Proxy::start(server.address()).await;
    let (away, here) = (connect(&proxy.url()).await, connect(&server.url()).await);
    let mut tail = away.tail("app").await.unwrap();
    let first = append(&here, "app", "first").await;
    assert_eq!(take(&mut tail, 1).await, ["first"]);
    proxy.cut();
    append(&here, "app", "lost").await;
    let kept = append(&here, "app", "kept").await;
    for stream in logs(&server).await {
        // All but the last message.
        stream.purge().keep(1).await.unwrap();
    }
    proxy.mend();
    let (gap, missed) = step(&mut tail).await;
    assert_eq!(missed, Step::Gap);
    assert_eq!(gap.epoch, first.epoch);
    assert!(gap.offset > first.offset && gap.offset < kept.offset);
    assert_eq!(next(&mut tail).await, (kept, "kept".to_owned()));
    assert_eq!(away.read("app", first, 9).await, Err(Error::Gone));
    assert_eq!(away.read("app", gap, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn log_deleted() {
    let server = Server::start();
    let (one, two) = (connect(&server.url()).await, connect(&server.url()).await);
    let mut tails = [one.tail("app").await.unwrap(), two.tail("app").await.unwrap()];
    let before = append(&one, "app", "before").await;
    for tail in &mut tails {
        assert_eq!(next(tail).await.0, before);
    }
    let client = async_nats::connect(server.url()).await.unwrap();
    let context = jetstream::new(client);
    for partition in 0..8 {
        context
            .delete_stream(format!("WAKELINE_log_{partition}"))
            .await
            .unwrap();
    }
    check_new_epoch([&one, &two], &mut tails, before).await;
}

#[tokio::test]
async fn log_restored_from_a_copy() {
    let mut server = Server::start();
    let (one, two) = (connect(&server.url()).await, connect(&server.url()).await);
    let mut tails = [one.tail("app").await.unwrap(), two.tail("app").await.unwrap()];
    append(&one, "app", "old").await;
    server.kill();
    let (data, saved) = (server.directory().join("data"), server.directory().join("copy"));
    copy(&data, &saved);
    server.restart();
    append(&one, "app", "newer").await;
    let before = append(&one, "app", "newest").await;
    for tail in &mut tails {
        assert_eq!(take(tail, 3).await, ["old", "newer", "newest"]);
    }
    server.kill();
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&saved, &data).unwrap();
    server.restart();
    check_new_epoch([&one, &two], &mut tails, before).await;
}

/// One that keeps its streams in memory is restarted, or its disk is another.
#[tokio::test]
async fn server_comes_back_with_nothing() {
    let mut server = Server::start();
    let (one, two) = (connect(&server.url()).await, connect(&server.url()).await);
    let mut tails = [one.tail("app").await.unwrap(), two.tail("app").await.unwrap()];
    let lease = |condition| Change {
        key: "lease".into(),
        value: Some("lives".into()),
        condition,
    };
    let revisions = one.write("nodes", vec![lease(Condition::Absent)]).await.unwrap();
    let digest = one.put_blob("blob".into()).await.unwrap();
    let mut before = append(&one, "app", "0").await;
    for number in 1..20 {
        before = append(&one, "app", &number.to_string()).await;
    }
    for tail in &mut tails {
        take(tail, 20).await;
    }
    server.kill();
    fs::remove_dir_all(server.directory().join("data")).unwrap();
    // While nobody is there; kept until somebody is.
    let waiting = {
        let one = one.clone();
        tokio::spawn(async move { append(&one, "app", "meanwhile").await })
    };
    server.restart();
    // A lease's holder is told that it is gone, and takes another.
    let renewed = loop {
        match one
            .write("nodes", vec![lease(Condition::Revision(revisions[0]))])
            .await
        {
            // On a busy machine, servers and streams take their time: it is renewed again.
            Err(Error::Unavailable(_)) => {}
            told => break told,
        }
    };
    assert_eq!(renewed, Err(Error::Conflict { key: "lease".into() }));
    one.write("nodes", vec![lease(Condition::Always)]).await.unwrap();
    assert_eq!(two.keys("nodes", "", None, 9).await.unwrap(), ["lease"]);
    assert_eq!(two.get_blob(&digest).await.unwrap(), None);
    assert_eq!(two.put_blob("blob".into()).await.unwrap(), digest);
    // What was accepted by the new log is in it for all.
    let meanwhile = waiting.await.unwrap();
    assert_ne!(meanwhile.epoch, before.epoch);
    for tail in &mut tails {
        let (gap, missed) = step(tail).await;
        assert_eq!((missed, gap.epoch), (Step::Gap, meanwhile.epoch));
        assert_eq!(next(tail).await, (meanwhile, "meanwhile".to_owned()));
    }
    for node in [&one, &two] {
        assert!(node.is_connected());
        assert_eq!(node.read("app", before, 9).await, Err(Error::Gone));
    }
}

/// Every node tells of it, calls the new log the same, and goes on.
async fn check_new_epoch(nodes: [&Nats; 2], tails: &mut [Tail; 2], before: router::Position) {
    let mut epochs = Vec::new();
    for tail in &mut *tails {
        let (position, missed) = step(tail).await;
        assert_eq!(missed, Step::Gap);
        epochs.push(position.epoch);
    }
    assert_eq!(epochs[0], epochs[1]);
    assert_ne!(epochs[0], before.epoch);
    let after = append(nodes[0], "app", "after").await;
    assert_eq!(after.epoch, epochs[0]);
    for tail in tails {
        assert_eq!(next(tail).await, (after, "after".to_owned()));
    }
    for node in nodes {
        assert_eq!(node.read("app", before, 9).await, Err(Error::Gone));
        assert_eq!(node.head("app").await.unwrap(), after);
    }
}

async fn logs(server: &Server) -> Vec<jetstream::stream::Stream> {
    let client = async_nats::connect(server.url()).await.unwrap();
    let context = jetstream::new(client);
    let mut streams = Vec::new();
    for partition in 0..8 {
        streams.push(
            context
                .get_stream(format!("WAKELINE_log_{partition}"))
                .await
                .unwrap(),
        );
    }
    streams
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
