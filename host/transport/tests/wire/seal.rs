//! The listener for other nodes: who may speak to it, and what they ask each other.
use router::Target;
use session::Wire;
use transport::{ClusterKey, PeerWire, Peering};

use crate::{
    cluster::{Cluster, KEY},
    node::{Node, run},
    peer::{Peer, Reply},
};

fn wire(key: [u8; 32]) -> PeerWire {
    PeerWire::new(Peering::new(ClusterKey::new(key)).into())
}

const UNKNOWN: &str =
    r#"400 content-length=41 content-type=application/json | {"code":1,"message":"Session ID unknown"}"#;

async fn ask(cluster: &Cluster, target: &str, headers: &[(&str, &str)]) -> Reply {
    let tcp = tokio::net::TcpStream::connect(cluster.members[0].inward)
        .await
        .unwrap();
    Peer::new(tcp).ask("GET", target, headers, "").await
}

#[test]
fn strangers_learn_nothing() {
    run(async {
        let cluster = Cluster::start(1, |_, _| {}).await;
        let sid = cluster.node(0).open().await;
        let poll = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        let expected =
            r#"{"error":{"code":"unauthorised","message":"this listener is for the nodes of the cluster"}}"#;
        for target in [&*poll, "/", "/nothing", "/wakeline/ask", "/ws"] {
            for seal in [
                "",
                "v1",
                "v1 1 2 00",
                "v1 1 00 0000000000000000000000000000000000000000000000000000000000000000",
            ] {
                let headers = [
                    ("Wakeline-Forward", seal),
                    ("Wakeline-Client", "1.2.3.4"),
                    ("Wakeline-App", "chat"),
                ];
                let reply = ask(&cluster, target, &headers).await;
                assert_eq!((reply.status, &*reply.text()), (401, expected), "{target} {seal}");
            }
        }
    });
}

#[test]
fn nodes_ask_each_other() {
    run(async {
        let cluster = Cluster::start(2, |_, _| {}).await;
        let (mut a, mut b) = (cluster.node(0).joined().await, cluster.node(1).joined().await);
        for peer in [&mut a, &mut b] {
            peer.send_text("42[\"echo\",1]").await;
            assert_eq!(peer.text().await, "42[\"echo-back\",1]");
        }
        let all = Target {
            namespace: "/".into(),
            rooms: Vec::new(),
            except: Vec::new(),
        };
        let shards = cluster.node(1).hub.shards();
        let page = shards.fetch_sockets("chat".into(), all, None).await;
        assert_eq!((page.sockets.len(), page.partial), (2, Vec::new()));
    });
}

#[test]
fn who_has_another_key_or_no_home_is_told() {
    run(async {
        let mut cluster = Cluster::start(2, |_, _| {}).await;
        let home = cluster.node(1).hub.shards().nodes().others().remove(0);
        let stranger = wire([8; 32]);
        let refused = stranger.ask(home.clone(), "x".into()).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "node node-0 did not answer: it does not believe this node: all need the same cluster key, and clocks within a minute of each other"
        );
        let wire = wire(KEY);
        // Not understood, but heard.
        assert_eq!(wire.ask(home.clone(), "x".into()).await.unwrap(), "");
        let long = wire
            .ask(home.clone(), vec![0; (1 << 20) + 1].into())
            .await
            .unwrap_err();
        assert_eq!(long.reason, "the question is larger than 1048576 bytes");
        cluster.kill(0).await;
        let gone = wire.ask(home, "x".into()).await.unwrap_err();
        assert!(
            gone.reason.starts_with("no connection") || gone.reason.starts_with("the connection broke"),
            "{gone}"
        );
    });
}

#[test]
fn a_wrong_key_is_no_way_into_a_session() {
    run(async {
        let other = || Peering::new(ClusterKey::new([8; 32]));
        let cluster = Cluster::start(2, move |index, setup| {
            if index == 1 {
                setup.config.cluster = Some(other().into());
            }
        })
        .await;
        let sid = cluster.node(0).open().await;
        assert_eq!(cluster.node(1).post(&sid, "40").await.line(), UNKNOWN);
        let target = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
        let reply = cluster.node(1).peer().await.upgrade(&target, &[]).await;
        assert_eq!((reply.status, &*reply.text()), (400, "Session ID unknown"));
        assert_eq!(cluster.node(0).post(&sid, "40").await.text(), "ok");
    });
}

#[test]
fn clients_cannot_speak_as_nodes() {
    run(async {
        let node = Node::start(|_| {}).await;
        let headers = [
            ("Wakeline-Client", "6.6.6.6"),
            ("Wakeline-Oversized", "1"),
            ("Wakeline-App", "x"),
        ];
        let open = "/socket.io/?EIO=4&transport=polling&whoami=1";
        let reply = node.ask("GET", open, &headers, "").await;
        let sid = crate::peer::sid_of(&reply.text());
        let post = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        assert_eq!(node.ask("POST", &post, &headers, "40").await.text(), "ok");
        let mut text = node.poll(&sid).await.text();
        while !text.contains("whoami") {
            text.push_str(&node.poll(&sid).await.text());
        }
        assert!(
            text.contains("\"127.0.0.1\"") && !text.contains("wakeline"),
            "{text}"
        );
    });
}

/// A node that another one takes for a session's home hears a sealed request, and uses it for something else.
#[test]
fn a_seal_is_no_good_for_another_path() {
    run(async {
        let spy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let spied = spy.local_addr().unwrap();
        let cluster = Cluster::start(2, move |index, setup| {
            if index == 0 {
                setup.advertise = Some(spied.to_string());
            }
        })
        .await;
        let home = cluster.node(0);
        let (sid, other) = (home.open().await, home.open().await);
        let target = format!("/socket.io/?EIO=4&transport=websocket&sid={sid}");
        let mut client = cluster.node(1).peer().await;
        let ((), heard) = tokio::join!(client.start_upgrade(&target), async {
            let mut peer = Peer::new(spy.accept().await.unwrap().0);
            peer.head().await
        });
        let say = async |head: &str| {
            let tcp = tokio::net::TcpStream::connect(cluster.members[0].inward)
                .await
                .unwrap();
            let mut peer = Peer::new(tcp);
            peer.send(head).await;
            peer.reply(false).await.status
        };
        assert!(
            heard.starts_with(&format!("GET {target} HTTP/1.1\r\n")),
            "{heard}"
        );
        for (from, to) in [
            (&*sid, &*other),
            ("GET ", "POST "),
            ("wakeline-app: chat", "wakeline-app: chet"),
            ("wakeline-client: 127.0.0.1", "wakeline-client: 10.0.0.1"),
            ("wakeline-host: localhost:3000\r\n", ""),
            ("host: ", "origin: http://localhost:3000\r\nhost: "),
        ] {
            let forged = heard.replacen(from, to, 1);
            assert!(forged != heard, "{from} is not in {heard}");
            assert_eq!(say(&forged).await, 401, "{to}");
        }
        assert_eq!(say(&heard).await, 101);
    });
}
