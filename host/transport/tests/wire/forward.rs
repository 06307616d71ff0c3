//! Polls, posts and odd requests that land on another node than their session's.
use transport::{Origins, PeeringStats, TrustedProxies};

use crate::{
    cluster::{Cluster, until},
    node::run,
    peer::{request, sid_of},
};

const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

fn target(sid: &str) -> String {
    format!("/socket.io/?EIO=4&transport=polling&sid={sid}")
}

/// Two nodes, the second one behind a proxy: the first must not need to believe anybody.
async fn behind_a_proxy() -> Cluster {
    Cluster::start(2, |index, setup| {
        if index == 1 {
            setup.config.trusted_proxies = TrustedProxies::parse(&["127.0.0.1".to_owned()]).unwrap();
        }
    })
    .await
}

#[test]
fn every_request_may_go_to_another_node() {
    run(async {
        let cluster = Cluster::start(3, |_, _| {}).await;
        let (a, b, c) = (cluster.node(0), cluster.node(1), cluster.node(2));
        let sid = a.open().await;
        assert_eq!(c.post(&sid, "40").await.text(), "ok");
        assert!(b.poll(&sid).await.text().starts_with("40{\"sid\":\""));
        assert_eq!(a.post(&sid, "42[\"echo\",1]").await.text(), "ok");
        assert_eq!(b.poll(&sid).await.text(), "42[\"echo-back\",1]");

        let target = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
        let mut socket = b.websocket(&target).await;
        socket.send_text("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        socket.send_text("5").await;
        socket.send_text("42[\"echo\",2]").await;
        assert_eq!(socket.text().await, "42[\"echo-back\",2]");
        let carried = PeeringStats {
            requests: 3,
            polls: 2,
            upgrades: 1,
            websockets: 1,
            ..PeeringStats::default()
        };
        assert_eq!(cluster.peering(1).stats(), carried);
        let posts = PeeringStats {
            requests: 1,
            posts: 1,
            ..PeeringStats::default()
        };
        assert_eq!(cluster.peering(2).stats(), posts);
        assert_eq!(cluster.peering(0).stats(), PeeringStats::default());
    });
}

#[test]
fn answers_are_the_same_wherever_they_are_asked_for() {
    run(async {
        let origins = || Origins::parse(&["http://app.example".to_owned()]).unwrap();
        let cluster = Cluster::start(2, move |_, setup| setup.web.origins = origins()).await;
        let app = ("Origin", "http://app.example");
        let large = "x".repeat(4000);
        let octets = ("Content-Type", "application/octet-stream");
        for (method, headers, body) in [
            ("GET", &[][..], ""),
            ("GET", &[app][..], ""),
            ("GET", &[("Accept-Encoding", "gzip")][..], ""),
            ("POST", &[app][..], "3"),
            ("POST", &[][..], "abc"),
            ("POST", &[app][..], &*large),
            ("POST", &[app, octets][..], "3"),
            ("PUT", &[app][..], ""),
            ("DELETE", &[][..], "what for"),
            ("OPTIONS", &[app][..], ""),
            ("HEAD", &[app][..], ""),
            ("GET", &[("Origin", "http://evil.example")][..], ""),
            ("GET", &[app, app][..], ""),
        ] {
            let mut lines = Vec::new();
            for asked in [0, 1] {
                let home = cluster.node(0);
                let sid = home.open().await;
                home.post(&sid, "40").await;
                home.poll(&sid).await;
                if method == "GET" {
                    home.post(&sid, "42[\"flood\",4]").await;
                }
                let target = format!("{}&x=%20a+b", target(&sid));
                lines.push(
                    cluster
                        .node(asked)
                        .ask(method, &target, headers, body)
                        .await
                        .line(),
                );
            }
            assert_eq!(lines[0], lines[1], "{method} {headers:?}");
        }
    });
}

#[test]
fn ended_and_invented_sessions_are_unknown_everywhere() {
    run(async {
        let cluster = Cluster::start(2, |_, _| {}).await;
        let (a, b) = (cluster.node(0), cluster.node(1));
        let sid = a.open().await;
        let ended = format!("{}AAAAAAAA", &sid[..20]);
        // Of a node that never was.
        let invented = format!("AAAAAAAA{}", &sid[8..]);
        for sid in [&*ended, &*invented] {
            for node in [a, b] {
                assert_eq!(node.poll(sid).await.text(), UNKNOWN);
                assert_eq!(node.post(sid, "3").await.text(), UNKNOWN);
                assert_eq!(node.post(sid, &"x".repeat(4000)).await.text(), UNKNOWN);
                assert_eq!(node.ask("PUT", &target(sid), &[], "").await.text(), UNKNOWN);
            }
        }
    });
}

#[test]
fn large_posts_are_bounded_where_they_land() {
    run(async {
        let cluster = Cluster::start(2, |_, _| {}).await;
        let (a, b) = (cluster.node(0), cluster.node(1));
        let sid = a.open().await;
        assert_eq!(
            b.post(&sid, &"x".repeat(4_000_000)).await.line(),
            "413 content-length=0"
        );
        let mut peer = b.peer().await;
        let chunked = [("Transfer-Encoding", "chunked")];
        peer.send(request("POST", &target(&sid), &chunked, "")).await;
        for _ in 0..3 {
            peer.send(format!("190\r\n{}\r\n", "x".repeat(400))).await;
        }
        assert_eq!(peer.reply(false).await.line(), "413 content-length=0");
        // In pieces, and asked for first.
        let mut peer = b.peer().await;
        let headers = [("Expect", "100-continue"), ("Content-Length", "2")];
        peer.send(request("POST", &target(&sid), &headers, "")).await;
        assert_eq!(peer.reply(false).await.status, 100);
        peer.send("4").await;
        peer.send("0").await;
        assert_eq!(peer.reply(false).await.text(), "ok");
    });
}

#[test]
fn a_slow_post_is_given_up_where_it_lands() {
    run(async {
        let soon = std::time::Duration::from_millis(50);
        let cluster = Cluster::start(2, move |_, setup| setup.config.body_read_timeout = soon).await;
        let sid = cluster.node(0).open().await;
        let mut peer = cluster.node(1).peer().await;
        peer.send(request("POST", &target(&sid), &[("Content-Length", "10")], ""))
            .await;
        peer.send("4").await;
        let reply = peer.reply(false).await;
        assert_eq!((reply.status, reply.header("connection")), (408, Some("close")));
        assert_eq!(cluster.node(1).post(&sid, "40").await.text(), "ok");
    });
}

#[test]
fn a_client_that_goes_aborts_its_poll_at_home() {
    run(async {
        let cluster = Cluster::start(2, |_, _| {}).await;
        let (a, b) = (cluster.node(0), cluster.node(1));
        let sid = a.open().await;
        let mut peer = b.peer().await;
        peer.send(request("GET", &target(&sid), &[], "")).await;
        until(|| cluster.peering(1).stats().polls == 1).await;
        // The home has the poll when it has answered what came after it on the same connection.
        assert_eq!(b.post(&sid, "3").await.text(), "ok");
        drop(peer);
        // The session ends as if the poll had been aborted there.
        while a.post(&sid, "3").await.text() != UNKNOWN {}
    });
}

#[test]
fn a_killed_home_is_a_session_unknown() {
    run(async {
        let mut cluster = Cluster::start(2, |_, _| {}).await;
        let sid = cluster.node(0).open().await;
        let (mut polling, mut socket) = (cluster.node(1).peer().await, cluster.node(1).peer().await);
        polling.send(request("GET", &target(&sid), &[], "")).await;
        until(|| cluster.peering(1).stats().polls == 1).await;
        // The home has the poll when it has answered what came after it on the same connection.
        assert_eq!(cluster.node(1).post(&sid, "3").await.text(), "ok");
        cluster.kill(0).await;
        assert_eq!(polling.reply(false).await.text(), UNKNOWN);
        let reply = polling.ask("GET", &target(&sid), &[], "").await;
        assert_eq!((reply.status, &*reply.text()), (400, UNKNOWN));
        let target = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
        let reply = socket.upgrade(&target, &[]).await;
        assert_eq!(
            reply.line(),
            "400 connection=close content-length=18 content-type=text/html | Session ID unknown"
        );
        assert_eq!(cluster.peering(1).stats().failed, 3);
    });
}

#[test]
fn a_draining_node_opens_elsewhere_whom_it_is_asked_for() {
    run(async {
        let cluster = behind_a_proxy().await;
        let (home, draining) = (cluster.node(0), cluster.node(1));
        draining.hub.drain(1000).await;
        let headers = [
            ("X-Forwarded-For", "6.6.6.6, 203.0.113.7"),
            ("Wakeline-Client", "6.6.6.6"),
            ("Wakeline-Mine", "1"),
            ("Wakeline-Oversized", "1"),
            ("X-Mine", "2"),
            ("Connection", "keep-alive, X-Hop"),
            ("X-Hop", "3"),
        ];
        let open = "/socket.io/?EIO=4&transport=polling&whoami=1";
        let reply = draining.ask("GET", open, &headers, "").await;
        let sid = sid_of(&reply.text());
        home.post(&sid, "40").await;
        let mut text = home.poll(&sid).await.text();
        while !text.contains("whoami") {
            text.push_str(&home.poll(&sid).await.text());
        }
        let (_, whoami) = text.split_once("42[\"whoami\",\"").unwrap();
        assert!(whoami.starts_with("203.0.113.7\""), "{whoami}");
        assert!(
            whoami.contains("\"x-mine=2\"") && whoami.contains("\"host=localhost:3000\""),
            "{whoami}"
        );
        assert!(
            !whoami.contains("wakeline") && !whoami.contains("x-hop"),
            "{whoami}"
        );

        let mut socket = draining.joined().await;
        socket.send_text("42[\"echo\",1]").await;
        assert_eq!(socket.text().await, "42[\"echo-back\",1]");
        let mut plain = draining.websocket("/ws").await;
        plain.send_text("hello").await;
        assert_eq!(plain.text().await, "hello");
        assert_eq!(cluster.peering(1).stats().websockets, 2);
    });
}

#[test]
fn origins_are_judged_as_if_the_client_had_come_to_the_home() {
    run(async {
        let cluster = behind_a_proxy().await;
        let (a, b) = (cluster.node(0), cluster.node(1));
        let sid = a.open().await;
        for (proto, origin, status) in [
            ("http", "http://chat.example.com", 200),
            ("https", "https://chat.example.com", 200),
            ("https", "http://chat.example.com", 403),
            ("http", "http://localhost:3000", 403),
        ] {
            let headers = [
                ("Host", "behind.the.proxy"),
                ("X-Forwarded-Host", "chat.example.com"),
                ("X-Forwarded-Proto", proto),
                ("Origin", origin),
            ];
            let reply = b.ask("POST", &target(&sid), &headers, "3").await;
            assert_eq!(reply.status, status, "{proto} {origin}");
        }
    });
}

#[test]
fn many_polls_wait_on_one_connection() {
    run(async {
        let cluster = Cluster::start(2, |_, _| {}).await;
        let (a, b) = (cluster.node(0), cluster.node(1));
        let mut waiting = Vec::new();
        for _ in 0..300 {
            let sid = a.open().await;
            let mut peer = b.peer().await;
            peer.send(request("GET", &target(&sid), &[], "")).await;
            waiting.push((sid, peer));
        }
        until(|| cluster.peering(1).stats().polls == 300).await;
        for (sid, _) in &waiting {
            assert_eq!(b.post(sid, "40").await.text(), "ok");
        }
        for (_, peer) in &mut waiting {
            assert!(peer.reply(false).await.text().starts_with("40{"));
        }
        assert_eq!(cluster.peering(1).stats().failed, 0);
    });
}

#[test]
fn a_connection_that_rested_too_long_is_opened_anew() {
    run(async {
        let rest = std::time::Duration::from_millis(200);
        let cluster = Cluster::start(2, move |index, setup| {
            if index == 0 {
                setup.config.keep_alive_timeout = rest;
            }
        })
        .await;
        let sid = cluster.node(0).open().await;
        // Around the moment at which the home gives it up.
        for hundredths in (90..130).step_by(5) {
            assert_eq!(cluster.node(1).post(&sid, "3").await.text(), "ok");
            tokio::time::sleep(rest * hundredths / 100).await;
        }
        assert_eq!(cluster.peering(1).stats().failed, 0);
    });
}
