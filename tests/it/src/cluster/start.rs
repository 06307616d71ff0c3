//! A cluster's first moments, and the one way in that is not a client's.
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use ::cluster::{Cluster, Node, NodeOptions, Options, until};
use tokio::time::timeout;

use super::{light::Light, storm::alone};
use crate::harness::{AppDir, binary, report, target};

const PATIENCE: Duration = Duration::from_mins(1);

/// One NATS server and some nodes that run `app`.
pub(super) fn small(name: &str, nodes: usize, app: &AppDir) -> Cluster {
    let options = Options {
        binary: binary(),
        apps: vec![app.path()],
        nats: 1,
        nodes,
        at_once: false,
        arguments: Vec::new(),
        directory: target().join("cluster").join(name),
    };
    let cluster = Cluster::start(&options, |_, server| server.to_owned());
    cluster.unwrap_or_else(|error| panic!("{error:#}"))
}

#[test]
fn p6_a_node_without_nats_says_so_and_waits_for_it() {
    let _alone = alone();
    let app = AppDir::probe("");
    let mut cluster = small("nats-late", 1, &app);
    let server = &mut cluster.nats.servers[0];
    server.process.kill();
    let mut late = Node::start(&NodeOptions {
        binary: &binary(),
        apps: &[app.path()],
        name: "late".into(),
        directory: &target().join("cluster/nats-late"),
        nats: format!("nats://{}", server.address),
        replicas: 1,
        arguments: &[],
    })
    .unwrap();
    until(PATIENCE, "a word on NATS", || {
        late.process.must_run()?;
        let said = late.process.last_words(20);
        Ok((said.contains(&server.address) && said.contains("cannot be reached")).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", late.process.last_words(20)));
    server.process.start_again().unwrap();
    server.wait_until_ready().unwrap();
    late.wait_until_ready()
        .unwrap_or_else(|error| panic!("{error:#}"));
    late.wait_for_nodes(2).unwrap();
    late.drain().unwrap();
}

/// It kept its streams in memory, or its disk is another: nobody has to be restarted.
#[test]
fn p6_nodes_outlive_a_nats_that_lost_everything() {
    let _alone = alone();
    let app = AppDir::probe("");
    let mut cluster = small("nats-anew", 2, &app);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let nodes = [cluster.nodes[0].address.clone(), cluster.nodes[1].address.clone()];
    let memory = runtime.block_on(async {
        let mut ears = gather(&nodes).await;
        for number in 0..20 {
            say_to_all(&mut ears, number).await;
        }
        ears.pop().unwrap().memory
    });
    cluster.nats.servers[0].start_anew().unwrap();
    for node in &mut cluster.nodes {
        until(PATIENCE, "a word on what was lost", || {
            node.process.must_run()?;
            Ok(node
                .metric("nats_gaps_total")
                .is_ok_and(|gaps| gaps > 0.0)
                .then_some(()))
        })
        .unwrap_or_else(|error| panic!("{error:#}"));
        // Its lease is gone at first, and with it the other's.
        node.wait_until_ready()
            .unwrap_or_else(|error| panic!("{error:#}"));
        node.wait_for_nodes(2).unwrap();
    }
    runtime.block_on(async {
        let back = Light::open(&nodes[0], "/probe/socket.io/", Some(memory.clone()))
            .await
            .unwrap();
        assert!(!back.recovered, "what it missed is nowhere");
        assert_ne!(back.memory.sid, memory.sid);
        // Who joins before a node has noticed how much it missed is sent away once more.
        let mut again = 0;
        while let Err(sent_away) = talk(&nodes).await {
            again += 1;
            assert!(again < 10, "{sent_away}");
        }
    });
}

/// New clients on all nodes hear each other.
async fn talk(nodes: &[String]) -> std::io::Result<()> {
    let mut ears = try_gather(nodes).await?;
    ears[0].call(r#"["tell","hall",20]"#).await?;
    for ear in &mut ears {
        timeout(PATIENCE, ear.hear()).await??;
        assert_eq!(ear.heard, [20]);
    }
    Ok(())
}

/// One on each node, in the hall.
async fn gather(nodes: &[String]) -> Vec<Light> {
    try_gather(nodes).await.unwrap()
}

async fn try_gather(nodes: &[String]) -> std::io::Result<Vec<Light>> {
    let mut ears = Vec::new();
    for node in nodes {
        let mut ear = Light::open(node, "/probe/socket.io/", None).await?;
        ear.call(r#"["join","hall"]"#).await?;
        ears.push(ear);
    }
    Ok(ears)
}

async fn say_to_all(ears: &mut [Light], number: u64) {
    let said = ears[0]
        .call(&format!(r#"["tell","hall",{number}]"#))
        .await
        .unwrap();
    assert_eq!(said, "[]");
    for ear in ears {
        timeout(PATIENCE, ear.hear()).await.unwrap().unwrap();
        assert_eq!(std::mem::take(&mut ear.heard), [number]);
    }
}

/// What a first `docker compose up` is.
#[test]
fn three_nodes_start_at_once_on_empty_nats_servers() {
    let _alone = alone();
    let app = AppDir::probe("");
    let options = Options {
        binary: binary(),
        apps: vec![app.path()],
        nats: 3,
        nodes: 3,
        at_once: true,
        arguments: Vec::new(),
        directory: target().join("cluster/at-once"),
    };
    let started = Instant::now();
    Cluster::start(&options, |_, server| server.to_owned()).unwrap_or_else(|error| panic!("{error:#}"));
    report::figure(&format!(
        "start: three nodes at once on three empty NATS servers, ready together after {:.1} s",
        started.elapsed().as_secs_f64()
    ));
}

#[test]
fn any_nats_client_emits_by_publishing_json() {
    let _alone = alone();
    let app = AppDir::probe("");
    let cluster = small("emit", 2, &app);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let nodes = [cluster.nodes[0].address.clone(), cluster.nodes[1].address.clone()];
        let mut ears = gather(&nodes).await;
        let body = r#"{"event":"msg","args":[7],"rooms":["hall"]}"#;
        let answer = publish(&cluster.nats.servers[0].address, "wakeline.emit.probe", body);
        assert!(answer.contains("\"position\""), "{answer}");
        for ear in &mut ears {
            timeout(PATIENCE, ear.hear()).await.unwrap().unwrap();
            assert_eq!(ear.heard, [7]);
        }
        let answer = publish(&cluster.nats.servers[0].address, "wakeline.emit.nobody", body);
        assert!(answer.contains("no_app"), "{answer}");
    });
}

/// In NATS's own words, so that no library of ours is what makes it work; the answer.
fn publish(address: &str, subject: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "CONNECT {{\"verbose\":false}}\r\nSUB answer 1\r\nPUB {subject} answer {}\r\n{body}\r\n",
        body.len()
    )
    .unwrap();
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.skip_while(|line| !line.starts_with("MSG")).nth(1).unwrap()
}
