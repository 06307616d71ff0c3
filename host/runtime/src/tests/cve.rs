//! Wasmtime's advisories, each as an attack on the engine as we configure it. Each ends with the next call, which is
//! served; `host/SECURITY.md` has the table of all.
mod engine;

use std::{rc::Rc, sync::Arc, time::Duration};

use router::Failure;

use super::harness::{App, COMPILE_LIMITS, World, config, event_call, guests_dir, wasm};
use crate::{Engine, EngineConfig, Host, Limits, Worker};

fn limits() -> Limits {
    Limits {
        cpu_ms_per_call: 5_000,
        cpu_ms_per_second: 100_000,
        log_lines_per_second: 100_000,
        ..Limits::default()
    }
}

/// An engine of its own, with as little room as an app can have: what one call leaves, the next one finds.
fn small_engine() -> Engine {
    Engine::new(EngineConfig {
        instances_max: 1,
        calls_max: 1,
        ..config(Some(guests_dir().join("target/cwasm")))
    })
    .unwrap()
}

async fn app_on(engine: &Engine, limits: Limits) -> App {
    let component = engine.compile(wasm("hostile"), COMPILE_LIMITS).await.unwrap();
    let world = Arc::new(World::default());
    let host: Arc<dyn Host> = Arc::<World>::clone(&world);
    App {
        worker: Worker::new(Rc::new(component), host, limits),
        world,
    }
}

async fn serves(app: &App) {
    assert_eq!(
        app.say("echo-nothing", &[]).await,
        "handler returned an error: no such event: echo-nothing"
    );
    assert_eq!(app.say("count", &[]).await, "2");
}

/// The call traps, or hits a limit; the next is another instance's.
async fn ends(app: &App, event: &str, args: &[&str]) {
    let failure = app.fail(event, args).await;
    assert!(
        matches!(failure, Failure::Trapped(_) | Failure::Limit(_)),
        "{event}: {failure}"
    );
    assert_eq!(
        app.worker.stats().instances,
        0,
        "{event}: a spent instance is gone"
    );
}

#[tokio::test]
async fn rustsec_2026_0020_what_the_host_keeps_for_a_guest_is_bounded() {
    let app = App::hostile(limits()).await;
    for event in [
        "advisory-pollables",
        "advisory-maps",
        "handles",
        "advisory-random",
    ] {
        ends(&app, event, &[]).await;
    }
    // 80 MB of output are lines, and lines are counted.
    let said = app.say("advisory-stream", &[]).await;
    assert!(said == "written" || said.contains("limit"), "{said}");
    let kept: usize = app
        .world
        .lines
        .lock()
        .iter()
        .map(|(_, _, text, _)| text.len())
        .sum();
    assert!(kept < 2 << 20, "{kept}");
    let app = App::hostile(limits()).await;
    serves(&app).await;
}

/// 10,000 headers, 100,000 values and 64 MB of them: refused, trapped, or taken, and never a panic of the host.
#[tokio::test]
async fn rustsec_2026_0021_too_many_http_fields_are_refused() {
    let app = App::hostile(limits()).await;
    for (event, args) in [
        ("advisory-fields", &["10000", "1"][..]),
        ("advisory-fields", &["40000", "100"]),
        ("advisory-fields", &["100", "60000"]),
        ("advisory-values", &["10000"]),
        ("advisory-values", &["100000"]),
    ] {
        match app.worker.call(&mut event_call(event, args, None)).await {
            Ok(_) | Err(Failure::Trapped(_) | Failure::Limit(_) | Failure::Returned(_)) => {}
            Err(failure) => panic!("{event} {args:?}: {failure}"),
        }
    }
    let app = App::hostile(limits()).await;
    assert_eq!(app.say("advisory-fields", &["100", "10"]).await, "100");
    assert_eq!(app.say("count", &[]).await, "2");
}

/// In a loop, asleep, and waiting for a host call; more often than the pool has room, so that all of it must come back.
#[tokio::test]
async fn rustsec_2026_0022_calls_dropped_in_the_middle_give_all_back() {
    let app = app_on(&small_engine(), limits()).await;
    for round in 0..50 {
        for event in ["loop", "sleep", "read-flood", "advisory-bulk"] {
            let mut call = event_call(event, &["3600000"], None);
            let call = app.worker.call(&mut call);
            let dropped = tokio::time::timeout(Duration::from_micros(100 * round), call).await;
            assert!(
                matches!(dropped, Err(_) | Ok(Err(Failure::Limit(_)))),
                "{event}: {dropped:?}"
            );
            assert_eq!(app.worker.stats().instances, 0, "{event}");
        }
    }
    serves(&app).await;
}

/// Two tenants in turn in the one place there is.
#[tokio::test]
async fn rustsec_2022_0075_2022_0098_2026_0088_memory_between_tenants_is_zero() {
    let engine = small_engine();
    let alone = || Limits {
        calls_per_instance: 1,
        ..limits()
    };
    let (one, other) = (app_on(&engine, alone()).await, app_on(&engine, alone()).await);
    for _ in 0..20 {
        assert_eq!(one.say("dirty", &[]).await, "dirtied");
        assert_eq!(one.worker.stats().instances, 0, "the place is free");
        assert_eq!(other.say("scan", &[]).await, "0");
        // Nor after an instance that could not clean up.
        ends(&one, "advisory-bulk-trap", &["1"]).await;
        assert_eq!(other.say("scan", &[]).await, "0");
        assert_eq!(other.say("count", &[]).await, "1");
    }
}

#[tokio::test]
async fn rustsec_2026_0085_flags_that_nobody_defined_are_no_panic() {
    let app = App::hostile(limits()).await;
    for bits in ["1", "2", "128", "254", "255"] {
        let said = app
            .worker
            .call(&mut event_call("advisory-flags", &[bits], None))
            .await;
        assert!(
            matches!(said, Ok(_) | Err(Failure::Trapped(_))),
            "{bits}: {said:?}"
        );
    }
    serves(&App::hostile(limits()).await).await;
}

/// A tick of the clock falls into a copy of megabytes, and a copy that is out of bounds follows ticks.
#[tokio::test]
async fn rustsec_2026_0223_ticks_and_traps_in_bulk_operations_end_the_call() {
    let app = App::hostile(Limits {
        cpu_ms_per_call: 50,
        ..limits()
    })
    .await;
    for _ in 0..5 {
        let failure = app.fail("advisory-bulk", &[]).await;
        assert!(
            matches!(&failure, Failure::Limit(text) if text.contains("cpu_ms_per_call = 50")),
            "{failure}"
        );
    }
    let app = App::hostile(limits()).await;
    for copies in ["0", "1", "20", "200"] {
        let failure = app.fail("advisory-bulk-trap", &[copies]).await;
        assert!(
            matches!(&failure, Failure::Trapped(text) if text.contains("out of bounds")),
            "{copies}: {failure}"
        );
    }
    serves(&app).await;
}

/// The same component in two engines, call by call, and code of one loaded by the other.
#[tokio::test]
async fn rustsec_2026_0222_engines_do_not_mix() {
    let (one, other) = (small_engine(), small_engine());
    let (first, second) = (app_on(&one, limits()).await, app_on(&other, limits()).await);
    for turn in 1..20 {
        assert_eq!(first.say("count", &[]).await, turn.to_string());
        assert_eq!(second.say("count", &[]).await, turn.to_string());
    }
    ends(&first, "panic", &["here"]).await;
    assert_eq!(second.say("count", &[]).await, "20");
    serves(&first).await;
}

/// Nothing is preopened, so no permission of a file can be got round.
#[tokio::test]
async fn rustsec_2026_0149_0182_0188_there_are_no_files() {
    let app = App::hostile(limits()).await;
    assert_eq!(app.say("advisory-files", &[]).await, "false false 0");
    serves(&App::hostile(limits()).await).await;
}
