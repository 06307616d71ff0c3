#![expect(clippy::needless_raw_string_hashes, reason = "as expect-test writes them")]
mod auth;
mod cookies;
mod folders;
mod table;

use expect_test::{Expect, expect};

use crate::{Ceilings, Manifest};

/// Reads a manifest in a folder called "chat" and compares what it says about it.
fn check(source: &str, expected: &Expect) {
    check_under(source, &Ceilings::none(), expected);
}

fn check_under(source: &str, ceilings: &Ceilings, expected: &Expect) {
    let said = match Manifest::parse(source, "wakeline.toml", "chat", ceilings) {
        Ok(manifest) => format!("{manifest:#?}\n"),
        Err(errors) => format!("{errors}\n"),
    };
    expected.assert_eq(&said);
}

fn parsed(source: &str) -> Manifest {
    Manifest::parse(source, "wakeline.toml", "chat", &Ceilings::none())
        .unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a whole manifest, once")]
fn empty_is_valid() {
    check(
        "",
        &expect![[r#"
            Manifest {
                name: "chat",
                component: "target/wasm32-wasip2/release/chat.wasm",
                build_command: "cargo build --release --target wasm32-wasip2",
                build_watch: [
                    "src",
                    "Cargo.toml",
                ],
                assets_dir: None,
                engine: Engine {
                    ping_interval: 25s,
                    ping_timeout: 20s,
                    upgrade_timeout: 10s,
                    max_payload_bytes: 1000000,
                    polling: true,
                    websocket: true,
                },
                socketio: SocketIo {
                    namespaces: [
                        "/",
                    ],
                    connect_timeout: 45s,
                },
                raw: Raw {
                    websocket: None,
                    engineio: None,
                },
                recovery: Some(
                    Recovery {
                        window: 120s,
                        packets_max: 10000,
                        bytes_max: 16777216,
                        token: None,
                    },
                ),
                origins_allow: [],
                auth: None,
                limits: Limits {
                    cpu_per_call: 50ms,
                    cpu_ms_per_second: 1000,
                    wall_per_call: 10s,
                    memory_bytes: 67108864,
                    instances: 64,
                    connections: 10000,
                    sockets: 100000,
                    events_per_second: 1000,
                    bytes_per_second: 4194304,
                    app_events_per_second: 100000,
                    app_bytes_per_second: 67108864,
                    app_bytes_out_per_second: 134217728,
                    events_queued: 256,
                    rooms_per_socket: 1000,
                    queue_bytes: 1048576,
                    effects_per_call: 1000,
                    effect_bytes_per_call: 8388608,
                    fan_out_per_call: 100000,
                    reads_per_call: 1000,
                    kv_writes_per_call: 500,
                    kv_value_bytes: 65536,
                    kv_bytes: 268435456,
                    kv_keys: 100000,
                    host_bytes_per_call: 33554432,
                    log_lines_per_call: 100,
                    log_lines_per_second: 1000,
                    http_requests_per_call: 10,
                    http_requests_per_second: 50,
                    timers: 1000,
                    component_bytes: 67108864,
                    compile: 120s,
                },
                http: Http {
                    allow: [],
                    allow_private: false,
                },
                config: {},
                sleep: Sleep {
                    idle: 1s,
                    code: 60s,
                    calls: 10000,
                },
            }
        "#]],
    );
}

#[test]
fn wrong_kinds_are_all_reported_with_their_places() {
    check(
        r#"name = 5
component = ""
[engine]
ping_interval_ms = "25s"
ping_timeout_ms = 20_000.0
	upgrade_timeout_ms = -1
max_payload_bytes = 99999999999
transports = "polling"
[http]
allow_private = "yes"
[config]
GREETING = 1
"#,
        &expect![[r#"
            wakeline.toml:1:8: name: expected a text in quotes, found the number 5
               |
             1 | name = 5
               |        ^

            wakeline.toml:2:13: component: expected a path relative to the manifest, found the text ""
               |
             2 | component = ""
               |             ^^

            wakeline.toml:4:20: engine.ping_interval_ms: expected a whole number of milliseconds, 100 to 3600000, found the text "25s"
               |
             4 | ping_interval_ms = "25s"
               |                    ^^^^^

            wakeline.toml:5:19: engine.ping_timeout_ms: expected a whole number of milliseconds, 50 to 3600000, found the number 20000.0
               |
             5 | ping_timeout_ms = 20_000.0
               |                   ^^^^^^^^

            wakeline.toml:6:23: engine.upgrade_timeout_ms: expected a whole number of milliseconds, 100 to 3600000, found the number -1
               |
             6 | 	upgrade_timeout_ms = -1
               | 	                     ^^

            wakeline.toml:7:21: engine.max_payload_bytes: expected a whole number of bytes, 1024 to 67108864, found the number 99999999999
               |
             7 | max_payload_bytes = 99999999999
               |                     ^^^^^^^^^^^

            wakeline.toml:8:14: engine.transports: expected a list of texts in brackets, found the text "polling"
               |
             8 | transports = "polling"
               |              ^^^^^^^^^

            wakeline.toml:10:17: http.allow_private: expected `true` or `false`, found the text "yes"
                |
             10 | allow_private = "yes"
                |                 ^^^^^

            wakeline.toml:12:12: config.GREETING: expected a text in quotes, found the number 1
                |
             12 | GREETING = 1
                |            ^
        "#]],
    );
}

#[test]
fn unknown_keys_are_errors_that_know_better() {
    check(
        "nmae = \"chat\"\nping_interval_ms = 5\n[engine]\nping_intervall_ms = 1\ncolour = 1\n[limit]\n[limits]\nname = \"x\"\nkilometres = 5\n",
        &expect![[r#"
            wakeline.toml:1:1: nmae: there is no such key
               |
             1 | nmae = "chat"
               | ^^^^
               = help: did you mean `name`?

            wakeline.toml:2:1: ping_interval_ms: there is no such key
               |
             2 | ping_interval_ms = 5
               | ^^^^^^^^^^^^^^^^
               = help: `ping_interval_ms` belongs in [engine]

            wakeline.toml:4:1: engine.ping_intervall_ms: there is no such key
               |
             4 | ping_intervall_ms = 1
               | ^^^^^^^^^^^^^^^^^
               = help: did you mean `ping_interval_ms`?

            wakeline.toml:5:1: engine.colour: there is no such key
               |
             5 | colour = 1
               | ^^^^^^
               = help: [engine] has: ping_interval_ms, ping_timeout_ms, upgrade_timeout_ms, max_payload_bytes, transports

            wakeline.toml:6:2: limit: there is no such key
               |
             6 | [limit]
               |  ^^^^^
               = help: did you mean `limits`?

            wakeline.toml:8:1: limits.name: there is no such key
               |
             8 | name = "x"
               | ^^^^
               = help: `name` stands above all sections

            wakeline.toml:9:1: limits.kilometres: there is no such key
               |
             9 | kilometres = 5
               | ^^^^^^^^^^
               = help: [limits] has: cpu_ms_per_call, cpu_ms_per_second, wall_ms_per_call, memory_bytes, instances, connections, sockets, events_per_second, bytes_per_second, app_events_per_second, app_bytes_per_second, app_bytes_out_per_second, events_queued, rooms_per_socket, queue_bytes, effects_per_call, effect_bytes_per_call, fan_out_per_call, reads_per_call, kv_writes_per_call, kv_value_bytes, kv_bytes, kv_keys, host_bytes_per_call, log_lines_per_call, log_lines_per_second, http_requests_per_call, http_requests_per_second, timers, component_bytes, compile_ms
        "#]],
    );
}

#[test]
fn strings_are_checked() {
    check(
        r#"name = "Chat"
[engine]
transports = []
[socketio]
namespaces = ["/", "admin"]
[raw]
websocket = "/echo"
engineio = "/echo/"
[origins]
allow = ["https://a.example", "https://b.example/", "b.example"]
[http]
allow = ["api.example.com", "https://api.example.com", "*.example.com:8443", "[::1]:80", "host:0"]
"#,
        &expect![[r#"
            wakeline.toml:1:8: name: expected a DNS label: 1 to 63 of `a` to `z`, `0` to `9` and `-`, with no `-` at either end, found the text "Chat"
               |
             1 | name = "Chat"
               |        ^^^^^^

            wakeline.toml:3:14: engine.transports: expected a list of at least 1, found an empty list
               |
             3 | transports = []
               |              ^^

            wakeline.toml:5:20: socketio.namespaces: expected a namespace: `/` and up to 255 bytes without `,` and `?`, found the text "admin"
               |
             5 | namespaces = ["/", "admin"]
               |                    ^^^^^^^

            wakeline.toml:8:12: raw.engineio: expected another path than that of raw.websocket
               |
             8 | engineio = "/echo/"
               |            ^^^^^^^^

            wakeline.toml:10:31: origins.allow: expected an origin, `https://host`, `https://host:port` or `https://*.host` without a path, or `*`, found the text "https://b.example/"
                |
             10 | allow = ["https://a.example", "https://b.example/", "b.example"]
                |                               ^^^^^^^^^^^^^^^^^^^^

            wakeline.toml:10:53: origins.allow: expected an origin, `https://host`, `https://host:port` or `https://*.host` without a path, or `*`, found the text "b.example"
                |
             10 | allow = ["https://a.example", "https://b.example/", "b.example"]
                |                                                     ^^^^^^^^^^^

            wakeline.toml:12:29: http.allow: expected a host without scheme and path: `host`, `host:port`, `*.host`, found the text "https://api.example.com"
                |
             12 | allow = ["api.example.com", "https://api.example.com", "*.example.com:8443", "[::1]:80", "host:0"]
                |                             ^^^^^^^^^^^^^^^^^^^^^^^^^

            wakeline.toml:12:90: http.allow: expected a host without scheme and path: `host`, `host:port`, `*.host`, found the text "host:0"
                |
             12 | allow = ["api.example.com", "https://api.example.com", "*.example.com:8443", "[::1]:80", "host:0"]
                |                                                                                          ^^^^^^^^
        "#]],
    );
}

#[test]
fn reserved_names_are_refused() {
    check(
        "name = \"metrics\"",
        &expect![[r#"
        wakeline.toml:1:8: name: expected a name that the host does not use itself, found the text "metrics"
           |
         1 | name = "metrics"
           |        ^^^^^^^^^
    "#]],
    );
}

#[test]
fn broken_toml() {
    check(
        "name = \"chat\n[engine\nping_interval_ms = 5\n",
        &expect![[r#"
        wakeline.toml:1:13: invalid basic string, expected `"`
           |
         1 | name = "chat
           |             ^

        wakeline.toml:2:8: unclosed table, expected `]`
           |
         2 | [engine
           |        ^
    "#]],
    );
    check(
        "name = \"a\"\nname = \"b\"\nengine = 5",
        &expect![[r#"
        wakeline.toml:2:1: duplicate key
           |
         2 | name = "b"
           | ^^^^
    "#]],
    );
    check(
        "engine = 5",
        &expect![[r#"
        wakeline.toml:1:10: engine: expected a section, found the number 5
           |
         1 | engine = 5
           |          ^
    "#]],
    );
}

#[test]
fn ceilings_bound_what_is_asked_and_what_is_not() {
    let ceilings = Ceilings::none().with("limits.memory_bytes", 2_097_152).unwrap();
    check_under(
        "[limits]\nmemory_bytes = 4194304\n",
        &ceilings,
        &expect![[r#"
        wakeline.toml:2:16: limits.memory_bytes: expected a whole number of bytes, 1048576 to 2097152, this server's ceiling, found the number 4194304
           |
         2 | memory_bytes = 4194304
           |                ^^^^^^^
    "#]],
    );
    // What was taken before the ceiling came down is held to it.
    let held = Manifest::parse(
        "[limits]\nmemory_bytes = 4194304\n",
        "wakeline.toml",
        "chat",
        &ceilings.holding(),
    );
    assert_eq!(held.unwrap().limits.memory_bytes, 2_097_152);
    let silent = Manifest::parse("", "wakeline.toml", "chat", &ceilings).unwrap();
    assert_eq!(silent.limits.memory_bytes, 2_097_152);
    assert!(Ceilings::none().with("limits.nonsense", 1).is_err());
}

#[test]
fn recovery_window_of_zero_is_off() {
    assert_eq!(parsed("[recovery]\nwindow_ms = 0").recovery, None);
}
