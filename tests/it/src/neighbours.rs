//! P11: what one app does to a node, another does not notice much.
use tempfile::TempDir;

use crate::harness::{AppDir, Script, Wakeline};

#[test]
fn p11_two_hostile_apps_leave_a_third_ones_round_trips_alone() {
    // A little time for each call: the attacks are cut off after it, again and again.
    let limits = "[limits]\ncpu_ms_per_call = 50\nmemory_bytes = 16777216\n";
    let (bench, hostile, probe) = (
        AppDir::example("bench", ""),
        AppDir::guest("guest-hostile", limits),
        AppDir::probe(limits),
    );
    let data = TempDir::new().unwrap();
    let wakeline = Wakeline::serve(&[&bench, &hostile, &probe], data.path());
    Script::node("neighbours.mjs")
        .variable("WAKELINE_URL", &wakeline.url())
        .within(300)
        .run();
}
