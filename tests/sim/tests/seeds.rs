//! Many random lives. `WAKELINE_SIM_SEEDS=N` runs more of them, `WAKELINE_SIM_SEED=S` one of them again.

use sim::{
    figures::{number, tell},
    run,
    scenario::life,
};

/// Steps of one life.
const STEPS: usize = 150;

#[test]
fn p1_p2_p3_hold_in_every_life() {
    let (first, count) = match number("WAKELINE_SIM_SEED") {
        Some(seed) => (seed, 1),
        None => (0, number("WAKELINE_SIM_SEEDS").unwrap_or(5_000)),
    };
    let mut sum = sim::scenario::Tally::default();
    for seed in first..first + count {
        match run(life(seed, STEPS)) {
            Err(wrong) => panic!("{wrong}\nagain: WAKELINE_SIM_SEED={seed}"),
            Ok(tally) => {
                sum.accepted += tally.accepted;
                sum.received += tally.received;
                sum.recoveries += tally.recoveries;
                sum.not_recovered += tally.not_recovered;
                sum.restarts += tally.restarts;
            }
        }
    }
    tell(&format!(
        "simulation: {count} seeds, {} accepted, {} received, {} recoveries, {} refused after the window, {} restarts",
        sum.accepted, sum.received, sum.recoveries, sum.not_recovered, sum.restarts
    ));
    // A world in which nothing happens proves nothing.
    if count >= 100 {
        assert!(sum.accepted > 20 * count && sum.received > 20 * count, "{sum:?}");
        assert!(sum.recoveries > 5 * count && sum.restarts > count / 2, "{sum:?}");
        assert!(sum.not_recovered > 0, "the window never passed: {sum:?}");
    }
}
