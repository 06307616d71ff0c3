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
    // Two thirds of all requests reach another node than their session's.
    let forwards = storm
        .cluster
        .nodes
        .iter()
        .map(|node| node.metric("forwards_total").unwrap());
    let forwards: f64 = forwards.sum();
    assert!(
        forwards > 500.0,
        "{forwards} requests were carried to another node"
    );
    let seconds = done["ms"].as_f64().unwrap() / 1000.0;
    report::figure(&format!(
        "round robin: 500 stock clients polled and upgraded over three nodes in {seconds:.1} s, no error; \
         {forwards} requests carried to another node"
    ));
    let verdict = storm.passes();
    assert_eq!(verdict.returns, 0);
}
