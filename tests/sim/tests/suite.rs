//! The simulated backplane keeps what every backplane promises, as long as nothing goes wrong.
use std::sync::Arc;

use backplane::Backplane;
use sim::{Faults, Net};

/// The cases that hand work to other threads need a clock that all share: this one is real.
#[tokio::test]
async fn a_network_without_faults_passes_the_suite() {
    let net = Net::new(1, Faults::NONE);
    let running = tokio::spawn(net.clone().run());
    backplane::suite::run_all(async || {
        let handle: Arc<dyn Backplane> = Arc::new(net.node());
        handle
    })
    .await;
    running.abort();
}
