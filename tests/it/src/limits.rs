//! Two tenants: one breaks each limit in turn, the other's round trips are timed beside it.
use std::process::Command;

use tempfile::TempDir;

use crate::harness::{AppDir, Script, Wakeline, binary};

/// A hostile app for each limit, with that limit low: `js/limits/attacks.mjs` says how each is broken and what its client
/// is told.
const ATTACKED: &[(&str, &str)] = &[
    ("cpu-ms-per-call", "cpu_ms_per_call = 20"),
    (
        "cpu-ms-per-second",
        "cpu_ms_per_second = 20\nwall_ms_per_call = 400",
    ),
    ("wall-ms-per-call", "wall_ms_per_call = 50"),
    ("memory-bytes", "memory_bytes = 8388608"),
    ("instances", "instances = 2"),
    ("connections", "connections = 2"),
    ("sockets", "sockets = 2"),
    ("events-queued", "events_queued = 4"),
    ("events-per-second", "events_per_second = 100"),
    ("bytes-per-second", "bytes_per_second = 100000"),
    ("app-events-per-second", "app_events_per_second = 100"),
    ("app-bytes-per-second", "app_bytes_per_second = 100000"),
    ("app-bytes-out-per-second", "app_bytes_out_per_second = 50000"),
    ("rooms-per-socket", "rooms_per_socket = 3"),
    ("effects-per-call", "effects_per_call = 100"),
    ("effect-bytes-per-call", "effect_bytes_per_call = 2000000"),
    ("fan-out-per-call", "fan_out_per_call = 3"),
    ("reads-per-call", "reads_per_call = 50"),
    ("kv-writes-per-call", "kv_writes_per_call = 10"),
    ("kv-value-bytes", "kv_value_bytes = 1000"),
    ("kv-keys", "kv_keys = 20"),
    ("kv-bytes", "kv_bytes = 20000"),
    ("host-bytes-per-call", "host_bytes_per_call = 100000"),
    ("log-lines-per-call", "log_lines_per_call = 10"),
    ("log-lines-per-second", "log_lines_per_second = 20"),
    ("http-requests-per-call", "http_requests_per_call = 0"),
    ("http-requests-per-second", "http_requests_per_second = 1"),
    ("timers", "timers = 3"),
];

#[test]
fn p11_each_limit_holds_and_the_other_tenant_hardly_notices() {
    let http = "[http]\nallow = [\"127.0.0.1:1\"]\n";
    let hostile = |(name, limit): &(&str, &str)| AppDir::hostile(name, &format!("[limits]\n{limit}\n{http}"));
    let attacked: Vec<AppDir> = ATTACKED.iter().map(hostile).collect();
    let victim = AppDir::example("bench", "");
    let mut apps = vec![&victim];
    apps.extend(&attacked);
    let data = TempDir::new().unwrap();
    let wakeline = Wakeline::serve(&apps, data.path());
    let names: Vec<&str> = ATTACKED.iter().map(|(name, _)| *name).collect();
    Script::node("limits.mjs")
        .argument(&names.join(","))
        .variable("WAKELINE_URL", &wakeline.url())
        .variable("WAKELINE_ADMIN", &wakeline.admin())
        .within(900)
        .run();
}

/// What a component may be is said by its name before it ever runs.
#[test]
fn a_component_beyond_its_limits_is_not_taken() {
    for (limit, expected) in [
        ("component_bytes = 2000", "component_bytes = 2000"),
        ("compile_ms = 10", "compile_ms = 10"),
    ] {
        let app = AppDir::hostile("big", &format!("[limits]\n{limit}\n"));
        let data = TempDir::new().unwrap();
        let mut serve = Command::new(binary());
        serve.arg("serve").arg(app.path()).arg("--data").arg(data.path());
        let ended = serve
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && said.contains(expected), "{said}");
    }
}
