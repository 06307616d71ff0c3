//! Many random lives of a cluster. `WAKELINE_SIM_SEEDS=N` runs more of them, `WAKELINE_SIM_SEED=S` one of them again.
use std::time::Duration;

use sim::cluster::{Shape, Tally, life, replay};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn lives(shape: Shape, count: u64) -> Tally {
    if let Some(seed) = number("WAKELINE_SIM_SEED") {
        return replay(seed, shape).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    let mut sum = Tally::default();
    for seed in 0..number("WAKELINE_SIM_SEEDS").unwrap_or(count) {
        match life(seed, shape) {
            Err(wrong) => panic!("{wrong}\nagain: WAKELINE_SIM_SEED={seed}"),
            Ok(tally) => sum.add(&tally),
        }
    }
    sum
}

#[test]
fn p2_p4_nodes_die_and_clients_go_on() {
    let shape = Shape {
        chaos: Duration::from_secs(60),
        foul: false,
    };
    println!("{:?}", lives(shape, 100));
}

#[test]
fn p1_to_p5_on_a_foul_backplane() {
    let shape = Shape {
        chaos: Duration::from_secs(60),
        foul: true,
    };
    println!("{:?}", lives(shape, 100));
}
