//! `socket.io-client`, the stock one: each scenario of js/scenarios by WebSocket only, by polling only, and as
//! clients come by default (polling, then the upgrade).
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{AppDir, FaultProxy, Script, Wakeline};

/// The app that a module of scenarios is for, with settings that the scenario needs.
fn app(module: &str, scenario: &str) -> AppDir {
    let settings = match scenario {
        "p2_beyond_the_window_a_client_is_told_and_nothing_is_replayed" => "[recovery]\nwindow_ms = 1000\n",
        // Pings are quick where a test waits for one.
        "p2_the_old_connection_need_not_be_noticed_dead_first" => {
            "[engine]\nping_interval_ms = 1500\nping_timeout_ms = 20000\n"
        }
        _ => "",
    };
    match module {
        "spaces" => AppDir::example("conformance", &conformance(300, 20_000)),
        "effects" => AppDir::probe(settings),
        _ => AppDir::example("bench", settings),
    }
}

/// Runs a scenario on an app of its own on a server of its own.
fn play(transport: &str, module: &str, scenario: &str) {
    let app = app(module, scenario);
    let data = TempDir::new().unwrap();
    let mut wakeline = Wakeline::serve(&[&app], data.path());
    let proxy = FaultProxy::new(&wakeline.address);
    Script::node("play.mjs")
        .argument(module)
        .argument(scenario)
        .variable("TRANSPORT", transport)
        .variable("WAKELINE_URL", &wakeline.url())
        .variable("WAKELINE_PATH", &format!("/{}/socket.io/", app.name))
        .variable("PROXY_URL", &proxy.url())
        .within(600)
        .run_with(|what| grant(what, &app, &mut wakeline, &proxy));
}

/// The manifest of examples/conformance, with times that a busy machine keeps as well: a client that is to answer a ping
/// within 200 ms, as the official suites have it, is one that a test run may be too slow for.
pub(crate) fn conformance(ping_interval_ms: u32, ping_timeout_ms: u32) -> String {
    format!(
        "[engine]\nping_interval_ms = {ping_interval_ms}\nping_timeout_ms = {ping_timeout_ms}\n\
         [socketio]\nnamespaces = [\"/\", \"/custom\"]\nconnect_timeout_ms = 5000\n\
         [raw]\nengineio = \"/engine.io/\"\n[recovery]\nwindow_ms = 0\n"
    )
}

fn grant(what: &str, app: &AppDir, wakeline: &mut Wakeline, proxy: &FaultProxy) {
    match what {
        "restart" => {
            wakeline.kill();
            wakeline.start_again();
        }
        "drain" => {
            wakeline.terminate();
            wakeline.start_again();
        }
        "heal after the window" => {
            // All but the speaker, who was not cut off, are gone for good. A cut between two polls is not seen before the
            // heartbeat is overdue.
            let app = &app.name;
            while wakeline.metric("sockets", app) + wakeline.metric("sockets_away", app) > 1.0 {
                std::thread::sleep(Duration::from_millis(50));
            }
            proxy.grant("heal");
        }
        _ => proxy.grant(what),
    }
}

macro_rules! on_transport {
    ($module:ident, $transport:literal: $($file:ident: [$($scenario:ident),* $(,)?])*) => {
        mod $module {
            $($(#[test] fn $scenario() { super::play($transport, stringify!($file), stringify!($scenario)); })*)*
        }
    };
}

macro_rules! scenarios {
    ($($scenarios:tt)*) => {
        on_transport!(websocket_only, "websocket": $($scenarios)*);
        on_transport!(polling_only, "polling": $($scenarios)*);
        on_transport!(upgrade, "upgrade": $($scenarios)*);
    };
}

scenarios! {
    talk: [
        a_client_connects_and_has_the_id_that_the_app_knows,
        an_ack_answers_with_what_was_sent,
        binary_arguments_travel_both_ways_at_any_depth,
        events_keep_their_order,
        payloads_up_to_the_limit_pass,
        a_payload_above_the_limit_ends_the_connection_and_the_client_returns,
        rooms_deliver_to_their_members_only,
        a_client_in_several_rooms_hears_each_event_once,
        an_unknown_namespace_is_refused_in_the_words_clients_know,
        an_ack_that_does_not_come_in_time_is_the_clients_error,
        state_belongs_to_one_socket,
        a_client_that_left_and_returns_is_a_new_socket,
        a_handler_that_traps_costs_its_call_and_nothing_else,
        a_hundred_clients_at_once_are_served,
    ]
    spaces: [
        credentials_reach_the_handler_as_they_were_sent,
        namespaces_share_a_connection_and_keep_apart,
        acks_carry_many_arguments_and_binary,
        events_return_with_their_binary,
        a_refused_namespace_leaves_the_others_alone,
        heartbeats_keep_an_idle_client_and_cost_it_nothing,
    ]
    effects: [
        a_refused_client_gets_message_and_data,
        what_the_connect_call_emits_arrives_after_the_connect,
        the_handler_asks_and_the_client_answers,
        a_question_that_nobody_answers_times_out,
        a_broadcast_leaves_out_the_speaker_and_the_excepted,
        sockets_are_listed_and_moved_by_room,
        whoever_was_answered_finds_the_sockets_moved,
        a_handler_that_disconnects_ends_the_namespace_for_good,
        a_handler_that_hangs_up_closes_the_connection,
        those_left_behind_are_told_who_went_and_why,
        a_call_that_fails_leaves_nothing_behind,
        a_timer_runs_without_anyone_asking,
        a_volatile_event_arrives_at_clients_that_listen,
        p2_a_client_whose_last_event_was_volatile_recovers,
        p2_a_recovered_client_answers_questions_and_is_not_mourned,
        p8_a_flood_arrives_whole_and_in_order,
    ]
    recovery: [
        p2_two_hundred_clients_cut_off_for_two_seconds_lose_nothing,
        p2_two_hundred_clients_cut_off_for_sixty_seconds_lose_nothing,
        p2_a_client_that_never_received_an_event_recovers,
        p2_a_client_recovers_again_and_again_without_duplicates,
        p2_the_state_and_the_rooms_survive,
        p2_the_old_connection_need_not_be_noticed_dead_first,
        p2_a_stall_shorter_than_the_heartbeat_is_not_even_noticed,
        p2_beyond_the_window_a_client_is_told_and_nothing_is_replayed,
        p2_a_killed_process_started_again_loses_nothing,
        p2_what_was_accepted_while_a_client_was_away_outlives_the_process,
        p10_a_drained_process_is_left_without_a_disconnect_packet,
    ]
}
