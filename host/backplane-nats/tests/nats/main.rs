//! The backplane over real NATS servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking"
)]
use std::{sync::Arc, time::Duration};

use backplane::{Backplane, Step, Tail, suite};
use backplane_nats::{Nats, NatsConfig};
use futures_util::StreamExt;
use router::{Action, Delivery, Position, Target};
use server::{Cluster, Server};

mod connecting;
mod faults;
mod nodes;
mod proxy;
mod server;

#[tokio::test]
async fn suite_on_one_server() {
    let server = Server::start();
    let shared: Arc<dyn Backplane> = Arc::new(connect(&server.url()).await);
    suite::run_all(async || Arc::clone(&shared)).await;
}

#[tokio::test]
async fn suite_where_this_thread_takes_the_logs() {
    let server = Server::start();
    let nats = connect(&server.url()).await;
    nats.take_logs().await.unwrap();
    let shared: Arc<dyn Backplane> = Arc::new(nats);
    suite::run_all(async || Arc::clone(&shared)).await;
}

#[tokio::test]
async fn suite_on_one_server_shared_by_threads() {
    let server = Server::start();
    suite::run_by_threads(Arc::new(connect(&server.url()).await)).await;
}

#[tokio::test]
async fn suite_on_three_servers() {
    let cluster = Cluster::start();
    drop(connect_with(&cluster.urls(), 3).await);
    let nats = connect(&cluster.urls()).await;
    assert_eq!(nats.server().replicas, 3);
    let shared: Arc<dyn Backplane> = Arc::new(nats);
    suite::run_all(async || Arc::clone(&shared)).await;
}

/// Until it is there: a cluster has to elect first.
async fn connect(servers: &str) -> Nats {
    connect_with(servers, 0).await
}

/// With as many copies: one that is asked before its three servers know each other would make do with fewer.
async fn connect_with(servers: &str, replicas: u8) -> Nats {
    let began = std::time::Instant::now();
    loop {
        let config = NatsConfig {
            servers: servers.to_owned(),
            replicas,
            ..NatsConfig::default()
        };
        match Nats::connect(config).await {
            Ok(nats) => {
                println!("nats-server {}", nats.server().version);
                return nats;
            }
            Err(error) => assert!(began.elapsed() < HANG, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn entry(text: &str) -> Arc<Delivery> {
    let target = Target {
        namespace: "/".into(),
        rooms: Vec::new(),
        except: Vec::new(),
    };
    Arc::new(Delivery {
        target,
        action: Action::Join(vec![text.into()]),
    })
}

fn text(delivery: &Delivery) -> String {
    match &delivery.action {
        Action::Join(rooms) => rooms[0].to_string(),
        other => panic!("nobody appended {other:?}"),
    }
}

async fn append(nats: &Nats, app: &str, text: &str) -> Position {
    let appended = nats.append(app, vec![entry(text)], None).await.unwrap();
    Position {
        epoch: appended.epoch,
        offset: appended.offsets[0],
    }
}

/// The next step that is no progress.
async fn step(tail: &mut Tail) -> (Position, Step) {
    let next = async {
        loop {
            match tail.steps.next().await.unwrap() {
                (_, Step::Passed) => {}
                step => return step,
            }
        }
    };
    tokio::time::timeout(HANG, next).await.expect("the tail hangs")
}

async fn next(tail: &mut Tail) -> (Position, String) {
    match step(tail).await {
        (position, Step::Entry(delivery)) => (position, text(&delivery)),
        (position, other) => panic!("{other:?} at {position:?}"),
    }
}

async fn take(tail: &mut Tail, count: usize) -> Vec<String> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(next(tail).await.1);
    }
    taken
}

/// A guard against hanging, not a promise of speed.
const HANG: Duration = Duration::from_mins(3);
