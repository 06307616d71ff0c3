//! What the official protocol suites check, case by case, without a client library. Engine.IO v4 has 25 cases,
//! Socket.IO v5 has 32.
use tempfile::TempDir;

use crate::{
    harness::{AppDir, Script, Wakeline},
    js::conformance,
};

fn case(suite: &str, name: &str) {
    // Pings are quick where they are waited for; elsewhere none comes between.
    let (interval, timeout) = if name.contains("pongs") {
        (300, 2_000)
    } else {
        (25_000, 20_000)
    };
    let app = AppDir::example("conformance", &conformance(interval, timeout));
    let data = TempDir::new().unwrap();
    let wakeline = Wakeline::dev_in(&app.path(), data.path());
    Script::node("suite.mjs")
        .argument(suite)
        .argument(name)
        .variable("WAKELINE_URL", &wakeline.url())
        .variable("PING_INTERVAL", &interval.to_string())
        .variable("PING_TIMEOUT", &timeout.to_string())
        .run();
}

macro_rules! suite {
    ($suite:ident: $($name:ident),* $(,)?) => {
        mod $suite { $(#[test] fn $name() { super::case(stringify!($suite), stringify!($name)); })* }
    };
}

suite! { engineio:
    polling_opens_a_session,
    polling_refuses_a_wrong_version,
    polling_refuses_a_wrong_transport,
    polling_refuses_a_wrong_method,
    websocket_opens_a_session,
    websocket_refuses_a_wrong_version,
    websocket_refuses_a_wrong_transport,
    polling_returns_a_text,
    polling_returns_several_texts,
    polling_returns_text_and_binary,
    polling_closes_on_a_packet_that_is_none,
    polling_closes_on_two_polls_at_once,
    polling_closes_on_a_poll_given_up,
    websocket_returns_a_text,
    websocket_returns_binary,
    websocket_closes_on_a_packet_that_is_none,
    polling_has_pings_and_takes_pongs,
    polling_closes_without_pongs,
    websocket_has_pings_and_takes_pongs,
    websocket_closes_without_pongs,
    polling_closes_when_the_client_does,
    websocket_closes_when_the_client_does,
    the_upgrade_ends_the_poll_with_a_noop,
    a_poll_after_the_upgrade_is_refused,
    a_second_websocket_after_the_upgrade_is_closed,
}

suite! { socketio:
    polling_opens_a_session,
    polling_refuses_a_wrong_version,
    polling_refuses_a_wrong_transport,
    polling_refuses_a_wrong_method,
    websocket_opens_a_session,
    websocket_refuses_a_wrong_version,
    websocket_refuses_a_wrong_transport,
    polling_has_pings_and_takes_pongs,
    polling_closes_without_pongs,
    websocket_has_pings_and_takes_pongs,
    websocket_closes_without_pongs,
    polling_closes_when_the_client_does,
    websocket_closes_when_the_client_does,
    polling_upgrades_to_websocket,
    a_poll_after_the_upgrade_is_refused,
    a_second_websocket_after_the_upgrade_is_closed,
    connects_to_the_main_namespace,
    connects_with_credentials,
    connects_to_a_custom_namespace,
    connects_to_a_custom_namespace_with_credentials,
    refuses_an_unknown_namespace,
    closes_on_a_handshake_that_is_none,
    closes_without_a_handshake,
    leaving_the_main_namespace_closes,
    leaving_a_custom_namespace_leaves_the_main_one,
    returns_an_event,
    returns_binary,
    acknowledges_an_event,
    acknowledges_binary,
    closes_on_an_unknown_packet_type,
    closes_on_a_payload_that_is_no_array,
    closes_on_an_ack_id_that_is_no_number,
}
