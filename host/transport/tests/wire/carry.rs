//! WebSockets whose sessions live on another node.
use std::time::Duration;

use tokio::io::AsyncReadExt;

use crate::{
    cluster::{Cluster, until},
    node::run,
    peer::{Peer, frame},
};

/// A session at home 0, joined, its WebSocket carried by node 1.
async fn carried(cluster: &Cluster) -> (String, Peer) {
    let (home, other) = (cluster.node(0), cluster.node(1));
    let sid = home.open().await;
    assert_eq!(home.post(&sid, "40").await.text(), "ok");
    home.poll(&sid).await;
    let target = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
    let mut socket = other.websocket(&target).await;
    socket.send_text("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.send_text("5").await;
    (sid, socket)
}

/// Until the home has none.
async fn no_sessions(cluster: &Cluster) {
    let shards = cluster.node(0).hub.shards().clone();
    while shards.stats("chat".into()).await.sessions > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn what_comes_with_the_upgrade_is_carried() {
    run(async {
        let cluster = Cluster::start(2, |_, _| {}).await;
        let sid = cluster.node(0).open().await;
        let target = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
        let mut peer = cluster.node(1).peer().await;
        let headers = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Protocol", "a.b, c"),
        ];
        let mut words = crate::peer::request("GET", &target, &headers, "").into_bytes();
        words.extend(frame(0x81, b"2probe"));
        peer.send(words).await;
        let line = "101 connection=Upgrade sec-websocket-accept=s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \
                    sec-websocket-protocol=a.b upgrade=websocket";
        assert_eq!(peer.reply(false).await.line(), line);
        assert_eq!(peer.text().await, "3probe");
    });
}

#[test]
fn refusals_are_the_homes() {
    run(async {
        let cluster = Cluster::start(2, |_, _| {}).await;
        let sid = cluster.node(0).open().await;
        let target = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
        for (target, headers) in [
            (target.clone(), ("Sec-WebSocket-Key", "short")),
            (target.clone(), ("Sec-WebSocket-Version", "8")),
            (target.replace("=websocket", "=polling"), ("X-A", "1")),
            (target, ("Origin", "http://evil.example")),
        ] {
            let mut lines = Vec::new();
            for node in [0, 1] {
                let mut peer = cluster.node(node).peer().await;
                lines.push(peer.upgrade(&target, &[headers]).await.line());
                peer.ended().await;
            }
            assert_eq!(lines[0], lines[1]);
        }
    });
}

#[test]
fn closes_pass_both_ways() {
    run(async {
        let cluster = Cluster::start(2, |_, _| {}).await;
        let (_, mut socket) = carried(&cluster).await;
        socket.send_text("42[\"drop\"]").await;
        assert_eq!(socket.closed().await, 1005);
        drop(socket);
        let (_, mut socket) = carried(&cluster).await;
        socket.send_frame(0x88, &3000_u16.to_be_bytes()).await;
        assert_eq!(socket.closed().await, 3000);
        drop(socket);
        until(|| cluster.peering(1).stats().websockets == 0).await;
        until(|| cluster.node(1).connections.available_permits() == 1000).await;
        no_sessions(&cluster).await;
    });
}

#[test]
fn an_abrupt_end_is_one_at_home_too() {
    run(async {
        let cluster = Cluster::start(2, |_, _| {}).await;
        for is_reset in [true, false] {
            let (sid, socket) = carried(&cluster).await;
            if is_reset {
                socket.tcp.set_zero_linger().unwrap();
            }
            drop(socket);
            until(|| cluster.peering(1).stats().websockets == 0).await;
            while cluster.node(0).poll(&sid).await.status != 400 {}
        }
        no_sessions(&cluster).await;
    });
}

#[test]
fn a_killed_home_ends_what_it_carried() {
    run(async {
        let mut cluster = Cluster::start(2, |_, _| {}).await;
        let (_, mut socket) = carried(&cluster).await;
        cluster.kill(0).await;
        socket.ended().await;
        drop(socket);
        until(|| cluster.peering(1).stats().websockets == 0).await;
    });
}

#[test]
fn a_stopping_node_lets_go_of_what_it_carries() {
    run(async {
        let mut cluster = Cluster::start(2, |_, _| {}).await;
        let (sid, mut socket) = carried(&cluster).await;
        cluster.members[1].node.begin_stop();
        socket.ended().await;
        while cluster.node(0).poll(&sid).await.status != 400 {}
    });
}

#[test]
fn two_hundred_at_once() {
    run(async {
        let cluster = Cluster::start(2, |_, _| {}).await;
        let mut sockets = Vec::new();
        for _ in 0..200 {
            sockets.push(carried(&cluster).await.1);
        }
        assert_eq!(cluster.peering(1).stats().websockets, 200);
        for (index, socket) in sockets.iter_mut().enumerate() {
            socket.send_text(&format!("42[\"echo\",{index}]")).await;
        }
        for (index, socket) in sockets.iter_mut().enumerate() {
            assert_eq!(socket.text().await, format!("42[\"echo-back\",{index}]"));
        }
    });
}

#[test]
fn a_reader_that_takes_nothing_holds_up_the_home_not_the_forwarder() {
    run(async {
        // The home's patience is the shorter, so that it is seen to run out.
        let cluster = Cluster::start(2, |index, setup| {
            setup.config.write_timeout = Duration::from_millis(if index == 0 { 50 } else { 500 });
            setup.config.close_timeout = Duration::from_millis(50);
        })
        .await;
        let (_, mut socket) = carried(&cluster).await;
        let flood = frame(0x81, b"42[\"flood\",100]");
        for _ in 0..2000 {
            socket.send(&flood).await;
        }
        no_sessions(&cluster).await;
        until(|| cluster.peering(1).stats().websockets == 0).await;
        // 100 MB were asked for; what the kernel holds on both legs is all that came through.
        let mut bytes = vec![0; 1 << 16];
        let mut taken = 0;
        while let Ok(count @ 1..) = socket.tcp.read(&mut bytes).await {
            taken += count;
        }
        assert!(taken < 50_000_000, "{taken}");
    });
}
