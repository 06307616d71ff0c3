//! Many random lives of a cluster. `WAKELINE_SIM_SEEDS=N` runs more of them, `WAKELINE_SIM_SEED=S` one of them again, with
//! what the host says in its trace. `WAKELINE_SIM_FIRST=S` begins at another seed than 0.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too; figures are printed"
)]
use std::time::Duration;

use sim::{
    cluster::{Shape, Tally, life, replay},
    figures::{number, tell},
};

fn lives(what: &str, foul: bool, count: u64) {
    let shape = Shape {
        chaos: Duration::from_secs(60),
        foul,
    };
    if let Some(seed) = number("WAKELINE_SIM_SEED") {
        let tally = replay(seed, shape).unwrap_or_else(|wrong| panic!("{wrong}"));
        println!("{tally}");
        return;
    }
    let count = number("WAKELINE_SIM_SEEDS").unwrap_or(count);
    let first = number("WAKELINE_SIM_FIRST").unwrap_or(0);
    let mut sum = Tally::default();
    for seed in first..first + count {
        match life(seed, shape) {
            Err(wrong) => panic!("{wrong}\nagain: WAKELINE_SIM_SEED={seed}"),
            Ok(tally) => sum.add(&tally),
        }
    }
    tell(&format!("{what}: {count} seeds, {sum}"));
    // A world in which nothing happens proves nothing.
    if count >= 400 {
        assert!(sum.accepted > 50 * count && sum.received > 100 * count, "{sum}");
        assert!(
            sum.recovered > 5 * count && sum.kills > count && sum.pauses > count,
            "{sum}"
        );
        assert!(
            sum.drains > count / 2 && sum.expired > 0 && sum.asked > 20 * count,
            "{sum}"
        );
        assert!(!foul || (sum.cuts > count && sum.losses > 0), "{sum}");
    }
}

#[test]
fn p2_p4_nodes_die_and_clients_go_on() {
    lives("cluster", false, 1_200);
}

#[test]
fn p1_to_p5_on_a_foul_backplane() {
    lives("cluster on a foul backplane", true, 2_000);
}
