//! 300 clients on 30 rooms in traffic, and what may happen to a cluster meanwhile. Each ends with the checker: nothing
//! duplicated, reordered, lost or falsely recovered, and everyone recovered.
use std::time::Duration;

use ::cluster::until;

use super::storm::{Storm, lasts};
use crate::harness::report;

/// A guard against hanging.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn p4_each_node_is_killed_in_turn() {
    let mut storm = Storm::in_traffic("kill-nodes");
    for node in 0..storm.cluster.nodes.len() {
        // Counted before the kill: all of a node's clients may know of it before anything else is asked.
        let before = storm.swarm.cuts();
        storm.cluster.nodes[node].process.kill();
        storm.swarm.cut_beyond(before);
        storm.recovers();
        storm.cluster.nodes[node].start_again().unwrap();
        storm.recovers();
    }
    assert!(storm.passes().returns >= 300);
}

#[test]
fn p4_a_node_is_stopped_for_twenty_seconds_and_goes_on() {
    let mut storm = Storm::in_traffic("stop-node");
    storm.cluster.nodes[0].process.pause().unwrap();
    lasts(20);
    storm.cluster.nodes[0].process.resume().unwrap();
    storm.recovers();
    storm.cluster.nodes[0].wait_until_ready().unwrap();
    storm.recovers();
    storm.passes();
}

#[test]
fn p6_a_nats_server_is_killed_then_the_leader() {
    let mut storm = Storm::in_traffic("kill-nats");
    let nats = &storm.cluster.nats;
    let leader = until(PATIENCE, "a leader of the app's log", || nats.leader_of("_log_"))
        .unwrap_or_else(|error| panic!("{error:#}"));
    for server in [(leader + 1) % 3, leader] {
        storm.cluster.nats.servers[server].process.kill();
        storm.swarm.accepted(300);
        storm.cluster.nats.servers[server].process.start_again().unwrap();
        storm.cluster.nats.wait_until_ready().unwrap();
        storm.recovers();
    }
    // The clients' connections have nothing to do with it.
    let verdict = storm.passes();
    assert_eq!(verdict.returns, 0, "{verdict}");
}

#[test]
fn p5_a_node_is_cut_off_from_nats_for_fifteen_seconds() {
    check_cut_off("cut-node", "cut");
}

#[test]
fn p5_a_node_hears_nothing_of_nats_for_fifteen_seconds() {
    check_cut_off("stall-node", "stall");
}

fn check_cut_off(name: &'static str, how: &str) {
    let mut storm = Storm::in_traffic(name);
    storm.link(0, how);
    lasts(15);
    assert!(
        !storm.cluster.nodes[0].is_ready(),
        "cut off, and still calls itself ready"
    );
    storm.link(0, "heal");
    storm.cluster.nodes[0].wait_until_ready().unwrap();
    storm.recovers();
    storm.passes();
}

#[test]
fn p10_all_nodes_are_restarted_one_after_another() {
    let mut storm = Storm::in_traffic("rolling");
    for node in 0..storm.cluster.nodes.len() {
        storm.cluster.nodes[node].drain().unwrap();
        storm.cluster.nodes[node].start_again().unwrap();
        storm.recovers();
    }
    assert!(storm.passes().returns >= 300);
}

/// Each 16 KiB between a node and NATS take a tenth of a second, and clients say more than passes.
#[test]
fn p8_a_slow_nats_slows_senders_and_eats_no_memory() {
    let mut storm = Storm::in_traffic("slow-nats");
    for node in 0..storm.cluster.nodes.len() {
        storm.link(node, "slow 100");
    }
    storm.swarm.talk(2000);
    storm.swarm.accepted(2000);
    for node in 0..storm.cluster.nodes.len() {
        storm.link(node, "heal");
    }
    let peak = |node: &::cluster::Node| node.process.memory().unwrap().0 >> 20;
    let peaks: Vec<u64> = storm.cluster.nodes.iter().map(peak).collect();
    report::figure(&format!("slow NATS: peak memory of the nodes {peaks:?} MB"));
    assert!(peaks.iter().all(|megabytes| *megabytes < 512), "{peaks:?} MB");
    storm.passes();
}
