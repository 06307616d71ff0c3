//! What Socket.IO's parser once fell over, sent to the whole server.
use tokio::time::{Duration, Instant};

use super::{Memory, serves};
use crate::node::{Node, run};

/// Each packet ends the connection of who sent it.
async fn breaks(node: &Node, packets: &[&str]) {
    for packet in packets {
        let mut peer = node.joined().await;
        peer.send_text(packet).await;
        assert_eq!(peer.closed().await, 1005, "{packet:.100}");
    }
    serves(node).await;
}

/// Each event is echoed: its name is only a name.
async fn echoes(node: &Node, names: &[&str]) {
    let mut peer = node.joined().await;
    for name in names {
        peer.send_text(&format!("42[\"{name}\",1]")).await;
        assert_eq!(peer.text().await, format!("42[\"{name}-back\",1]"));
    }
}

#[test]
fn cve_2020_36049_a_packet_of_a_megabyte_costs_its_length() {
    run(async {
        let node = Node::start(|setup| setup.engine.max_payload_bytes = 1 << 20).await;
        let memory = Memory::now();
        let long = |start: &str, with: &str, end: &str| {
            let room = (1 << 20) - start.len() - end.len();
            [start, &with.repeat(room / with.len()), end].concat()
        };
        let packets = [
            long("42", "9", "[\"echo\"]"),
            long("45", "9", "-[\"echo\"]"),
            long("42/", "n", ",[\"echo\"]"),
            long("45", "1", ""),
            long("451-[\"a\"", ",{\"_placeholder\":true,\"num\":9}", "]"),
            long("42[\"echo\"", ",[", ""),
            long("42[", "[", ""),
        ];
        breaks(&node, &packets.each_ref().map(String::as_str)).await;
        // A body of nothing but separators, and one of nothing but pings.
        for body in [long("", "\u{1e}", ""), long("2", "\u{1e}2", "")] {
            let sid = node.open().await;
            assert!(node.post(&sid, &body).await.status < 500);
        }
        memory.grew_less_than(32);
        serves(&node).await;
    });
}

#[test]
fn cve_2022_2421_placeholders_stand_for_attachments_only() {
    run(async {
        let node = Node::start(|_| {}).await;
        let packet = |num: &str| format!("451-[\"echo\",{{\"_placeholder\":true,\"num\":{num}}}]");
        let odd = [
            "-1",
            "1",
            "9007199254740993",
            "1e999",
            "0.5",
            "\"splice\"",
            "\"__proto__\"",
            "\"0\"",
            "[0]",
            "{\"valueOf\":0}",
            "null",
            "true",
        ];
        let packets = odd.map(packet);
        breaks(&node, &packets.each_ref().map(String::as_str)).await;
        breaks(&node, &["451-[\"echo\",{\"_placeholder\":true}]"]).await;
        let mut peer = node.joined().await;
        peer.send_text(&packet("0")).await;
        peer.send_frame(0x82, b"here").await;
        assert_eq!(peer.text().await, packet("0").replace("echo", "echo-back"));
        assert_eq!(peer.frame().await.unwrap().payload, b"here");
    });
}

#[test]
fn cve_2023_32695_event_names_are_strings_or_numbers() {
    run(async {
        let node = Node::start(|_| {}).await;
        let packets = [
            "42[{\"toString\":\"x\"}]",
            "42[{\"toString\":null},1]",
            "42[[\"echo\"]]",
            "42[null]",
            "42[true]",
            "42[]",
            "42{\"0\":\"echo\",\"length\":1}",
            "451-[{\"_placeholder\":true,\"num\":0}]",
        ];
        breaks(&node, &packets).await;
        echoes(
            &node,
            &["toString", "__proto__", "constructor", "hasOwnProperty", ""],
        )
        .await;
    });
}

#[test]
fn cve_2024_38355_an_event_called_error_is_an_event() {
    run(async {
        let node = Node::start(|_| {}).await;
        echoes(&node, &["error", "uncaughtException", "close", "end"]).await;
        let reserved = [
            "connect",
            "connect_error",
            "disconnect",
            "disconnecting",
            "newListener",
            "removeListener",
        ];
        let packets = reserved.map(|name| format!("42[\"{name}\",1]"));
        breaks(&node, &packets.each_ref().map(String::as_str)).await;
    });
}

#[test]
fn cve_2026_33151_attachments_are_ten_at_most() {
    run(async {
        let node = Node::start(|_| {}).await;
        let packets = [
            "4599999-[\"echo\"]",
            "4511-[\"echo\"]",
            "459999999999999999999999-[\"echo\"]",
            "450-[\"echo\"]",
        ];
        breaks(&node, &packets).await;
    });
}

/// It answers pings, so nothing else would end it. The clock is virtual: nobody waits a minute.
#[test]
fn cve_2026_33151_a_client_that_stalls_within_a_binary_packet_is_closed() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let node = Node::start(|setup| setup.engine.ping_interval = Duration::from_secs(3_600)).await;
        let mut peer = node.joined().await;
        peer.send_text("4510-[\"echo\"]").await;
        peer.send_frame(0x82, &[0; 1_000]).await;
        // All of it has arrived when this is answered.
        peer.send_frame(0x89, b"").await;
        assert_eq!(peer.frame().await.unwrap().opcode, 10);
        tokio::time::pause();
        let start = Instant::now();
        assert_eq!(peer.closed().await, 1005);
        let waited = start.elapsed();
        assert!(
            waited >= Duration::from_secs(59) && waited < Duration::from_secs(300),
            "{waited:?}"
        );
        tokio::time::resume();
        serves(&node).await;
    });
}

#[test]
fn cve_2026_48802_pongs_that_nobody_asked_for_start_nothing() {
    run(async {
        let node = Node::start(|setup| setup.engine.ping_interval = Duration::from_secs(2)).await;
        let memory = Memory::now();
        let begin = Instant::now();
        let mut peer = node.joined().await;
        // Both kinds; they are slowed down beyond a thousand a second.
        let pongs = [crate::peer::frame(0x81, b"3"), crate::peer::frame(0x8a, b"x")].concat();
        peer.send(pongs.repeat(1_500)).await;
        peer.send_text("42[\"echo\",1]").await;
        let (mut pings, mut echoed) = (0, false);
        while pings == 0 || !echoed {
            match &*peer.text().await {
                "2" => pings += 1,
                other => echoed = other == "42[\"echo-back\",1]",
            }
        }
        // Three thousand pongs, and one heartbeat.
        peer.send_text("3").await;
        peer.send_text("42[\"echo\",2]").await;
        while peer.text().await != "42[\"echo-back\",2]" {
            pings += 1;
        }
        // One every two seconds at most, however long the machine takes for all of it.
        let due = 1 + begin.elapsed().as_secs() / 2;
        assert!(pings <= due, "{pings}, not {due}");
        memory.grew_less_than(16);
        serves(&node).await;
    });
}
