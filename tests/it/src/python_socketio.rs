//! `python-socketio`, the stock one: a second implementation of the protocol's other side.
use tempfile::TempDir;

use crate::{
    harness::{AppDir, FaultProxy, Script, Wakeline},
    js::conformance,
};

fn play(transport: &str, scenario: &str) {
    let (bench, conformance) = (
        AppDir::example("bench", "[recovery]\ntoken = \"auth.seat\"\n"),
        AppDir::example("conformance", &conformance(300, 20_000)),
    );
    let data = TempDir::new().unwrap();
    let wakeline = Wakeline::serve(&[&bench, &conformance], data.path());
    let proxy = FaultProxy::new(&wakeline.address);
    Script::python("play.py")
        .argument(scenario)
        .variable("TRANSPORT", transport)
        .variable("WAKELINE_URL", &wakeline.url())
        .variable("PROXY_URL", &proxy.url())
        .run_with(|what| proxy.grant(what));
}

macro_rules! scenarios {
    ($($transport:ident)*: $scenarios:tt) => { $(scenarios!(@ $transport $scenarios);)* };
    (@ $transport:ident [$($scenario:ident),* $(,)?]) => {
        // Not "websocket_only" and so on: those are socket.io-client's.
        mod $transport {
            $(#[test] fn $scenario() { super::play(stringify!($transport), stringify!($scenario)); })*
        }
    };
}

scenarios! { websocket polling upgrade: [
    acks_answer_with_what_was_sent,
    binary_arguments_travel_both_ways,
    the_app_knows_the_client_by_its_id,
    rooms_deliver_in_order_to_their_members_only,
    credentials_and_namespaces,
    an_unknown_namespace_is_refused,
    heartbeats_keep_an_idle_client,
    p2_a_client_that_knows_nothing_of_recovery_returns_as_a_new_one,
    p2_a_client_that_knows_nothing_of_recovery_comes_back_by_its_token,
] }
