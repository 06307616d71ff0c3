//! Stock clients with default transports behind plain round robin.
use serde_json::json;

use super::storm::Storm;
use crate::harness::report;

#[test]
fn five_hundred_clients_connect_with_each_request_on_another_node() {
    let mut storm = Storm::gather("connect", 500);
    let done = storm.swarm.connect(500);
    assert_eq!(done["errors"], json!({}), "connect_error or a lost connection");
    storm.swarm.talk(200);
    storm.swarm.accepted(500);
    let seconds = done["ms"].as_f64().unwrap() / 1000.0;
    report::figure(&format!(
        "round robin: 500 stock clients polled and upgraded over three nodes in {seconds:.1} s, no error"
    ));
    let verdict = storm.passes();
    assert_eq!(verdict.returns, 0);
}
