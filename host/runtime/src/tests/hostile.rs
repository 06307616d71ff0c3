use std::{cell::Cell, time::Duration};

use bytes::Bytes;
use router::{CallKind, Failure};
use socketio::EventData;

use super::harness::{App, World, event_call, socket_call};
use crate::{Limits, LogLevel};

/// Runs one attack, and checks that the app's next call is served by another instance.
async fn attack(limits: Limits, event: &str, args: &[&str]) -> (App, Failure) {
    let app = App::hostile(limits).await;
    assert_eq!(app.say("count", &[]).await, "1");
    let failure = app.fail(event, args).await;
    assert_eq!(
        app.say("count", &[]).await,
        "1",
        "a spent instance is not used again"
    );
    (app, failure)
}

fn limit(failure: &Failure, expected: &str) {
    assert!(
        matches!(failure, Failure::Limit(text) if text.contains(expected)),
        "{failure}"
    );
}

fn trapped(failure: &Failure, expected: &str) {
    assert!(
        matches!(failure, Failure::Trapped(text) if text.contains(expected)),
        "{failure}"
    );
}

#[tokio::test]
async fn an_endless_loop_ends_at_its_cpu_limit() {
    let (app, failure) = attack(
        Limits {
            cpu_ms_per_call: 20,
            ..Limits::default()
        },
        "loop",
        &[],
    )
    .await;
    limit(&failure, "cpu_ms_per_call = 20");
    limit(&failure, "wasm backtrace");
    assert_eq!(app.worker.stats().limits, 1);
}

/// The same thread serves two apps: one spins, the other's calls go on between its slices.
#[tokio::test]
async fn a_spinning_guest_does_not_hold_its_thread() {
    let spinning = App::hostile(Limits {
        cpu_ms_per_call: 200,
        ..Limits::default()
    })
    .await;
    let other = App::hostile(Limits::default()).await;
    let (ended, served) = (Cell::new(false), Cell::new(0));
    let spin = async {
        let failure = spinning.fail("loop", &[]).await;
        ended.set(true);
        failure
    };
    let serve = async {
        while !ended.get() {
            other.say("count", &[]).await;
            served.set(served.get() + 1);
            tokio::task::yield_now().await;
        }
    };
    let (failure, ()) = tokio::join!(spin, serve);
    limit(&failure, "cpu_ms_per_call = 200");
    // One turn a slice at least, but for slices that the machine took from us.
    assert!(served.get() > 50, "{}", served.get());
}

#[tokio::test]
async fn memory_is_limited() {
    let limits = Limits {
        memory_bytes: 16 << 20,
        cpu_ms_per_call: 2_000,
        ..Limits::default()
    };
    let (_, failure) = attack(limits, "hog", &[]).await;
    limit(&failure, "memory_bytes = 16777216");
}

#[tokio::test]
async fn a_component_larger_than_its_limit_does_not_start() {
    let app = App::hostile(Limits {
        memory_bytes: 65_536,
        ..Limits::default()
    })
    .await;
    limit(&app.fail("count", &[]).await, "memory_bytes = 65536");
    assert_eq!(app.worker.stats().instances, 0);
}

#[tokio::test]
async fn traps_tell_where() {
    let (app, failure) = attack(Limits::default(), "unreachable", &[]).await;
    trapped(&failure, "unreachable");
    trapped(&failure, "attacks");
    assert_eq!(app.worker.stats().traps, 1);
    trapped(
        &attack(Limits::default(), "overflow-calls", &[]).await.1,
        "call stack exhausted",
    );
    // Rust keeps arrays on a stack of its own, at the beginning of its memory.
    trapped(
        &attack(Limits::default(), "overflow-memory", &[]).await.1,
        "out of bounds",
    );
    trapped(
        &attack(Limits::default(), "bulk-trap", &[]).await.1,
        "out of bounds",
    );
}

#[tokio::test]
async fn a_panic_says_its_message() {
    let (app, failure) = attack(Limits::default(), "panic", &["hello"]).await;
    trapped(&failure, "the panic says hello");
    trapped(&failure, "attacks.rs:");
    assert!(
        app.world.log().contains("stderr: the panic says hello"),
        "{}",
        app.world.log()
    );
}

#[tokio::test]
async fn exiting_is_a_trap() {
    let (_, failure) = attack(Limits::default(), "exit", &[]).await;
    assert!(matches!(failure, Failure::Trapped(_)), "{failure}");
}

#[tokio::test]
async fn floods_of_effects_are_refused_and_then_ended() {
    let limits = || Limits {
        effects_per_call: 100,
        cpu_ms_per_call: 2_000,
        ..Limits::default()
    };
    limit(
        &attack(limits(), "emit-flood", &[]).await.1,
        "effects_per_call = 100",
    );

    let app = App::hostile(limits()).await;
    let text = app.say("emit-until-refused", &[]).await;
    assert_eq!(
        text,
        "handler returned an error: limit exceeded: effects_per_call = 100"
    );
    let limits = Limits {
        effect_bytes_per_call: 5 << 20,
        cpu_ms_per_call: 5_000,
        ..Limits::default()
    };
    let app = App::hostile(limits).await;
    let text = app.say("emit-big", &[]).await;
    assert_eq!(
        text,
        "handler returned an error: limit exceeded: effect_bytes_per_call = 5242880"
    );
}

#[tokio::test]
async fn one_enormous_argument_does_not_get_in() {
    let limits = Limits {
        memory_bytes: 512 << 20,
        cpu_ms_per_call: 10_000,
        host_bytes_per_call: 1 << 20,
        ..Limits::default()
    };
    let (_, failure) = attack(limits, "emit-enormous", &[]).await;
    assert!(
        matches!(&failure, Failure::Limit(text) if text.contains("host_bytes_per_call")),
        "{failure}"
    );
}

#[tokio::test]
async fn an_event_that_does_not_fit_the_guest_fails_alone() {
    let app = App::hostile(Limits {
        memory_bytes: 8 << 20,
        ..Limits::default()
    })
    .await;
    let attachment = Bytes::from(vec![7_u8; 32 << 20]);
    let data = EventData::event("echo", r#"[{"_placeholder":true,"num":0}]"#, vec![attachment]).unwrap();
    let failure = app
        .worker
        .call(&mut socket_call(CallKind::Event { data, ack: None }))
        .await
        .unwrap_err();
    limit(&failure, "memory_bytes = 8388608");
    assert_eq!(app.say("count", &[]).await, "1");
}

#[tokio::test]
async fn floods_of_host_calls_end() {
    let limits = || Limits {
        cpu_ms_per_call: 5_000,
        reads_per_call: 20,
        log_lines_per_call: 20,
        ..Limits::default()
    };
    limit(
        &attack(limits(), "read-flood", &[]).await.1,
        "reads_per_call = 20",
    );
    let (app, failure) = attack(limits(), "log-flood", &[]).await;
    limit(&failure, "log_lines_per_call = 20");
    assert_eq!(app.world.lines.lock().len(), 21, "20 lines, and one that says so");
    let (_, failure) = attack(limits(), "handles", &[]).await;
    assert!(matches!(failure, Failure::Trapped(_)), "{failure}");
}

#[tokio::test]
async fn lines_beyond_the_limit_are_counted() {
    let app = App::hostile(Limits {
        log_lines_per_call: 5,
        ..Limits::default()
    })
    .await;
    assert_eq!(app.say("log-some", &["7"]).await, "");
    let expected =
        "ctx: 0\nctx: 1\nctx: 2\nctx: 3\nctx: 4\nwakeline: 2 lines dropped (log_lines_per_call = 5)\n";
    assert_eq!(app.world.log(), expected);
    app.world.lines.lock().clear();
    app.say("print-flood", &[]).await;
    assert_eq!(app.world.lines.lock().len(), 6);
}

#[tokio::test]
async fn logs_tell_level_and_socket() {
    let app = App::hostile(Limits::default()).await;
    app.say("log", &["hello"]).await;
    let line = |level, context: &str, text: &str| {
        (level, context.to_owned(), text.to_owned(), Some("s1".to_owned()))
    };
    let expected = [
        line(LogLevel::Info, "ctx", "hello"),
        line(LogLevel::Info, "stdout", "printed hello"),
        line(LogLevel::Warn, "stderr", "complained hello"),
    ];
    assert_eq!(*app.world.lines.lock(), expected);
}

/// A virtual clock on our side; the guest's sleep is a timer of the same runtime.
#[tokio::test]
async fn sleeping_ends_at_the_wall_limit() {
    let app = App::hostile(Limits {
        wall_ms_per_call: 3_600_000,
        ..Limits::default()
    })
    .await;
    assert_eq!(app.say("count", &[]).await, "1");
    tokio::time::pause();
    let failure = app.fail("sleep", &["7200000"]).await;
    limit(&failure, "wall_ms_per_call = 3600000");
    assert_eq!(app.worker.stats().instances, 0);
}

/// Waiting is not running: a call that waits much longer than its CPU limit goes on.
#[tokio::test]
async fn waiting_costs_no_cpu() {
    let app = App::hostile(Limits {
        cpu_ms_per_call: 20,
        ..Limits::default()
    })
    .await;
    assert_eq!(app.say("sleep", &["100"]).await, "woke");
}

#[tokio::test]
async fn memory_of_others_is_never_seen() {
    let limits = || Limits {
        calls_per_instance: 1,
        cpu_ms_per_call: 2_000,
        ..Limits::default()
    };
    let (one, other) = (App::hostile(limits()).await, App::hostile(limits()).await);
    for _ in 0..20 {
        assert_eq!(one.say("dirty", &[]).await, "dirtied");
        assert_eq!(other.say("scan", &[]).await, "0");
    }
}

#[tokio::test]
async fn a_dropped_call_is_over() {
    let app = App::new(
        "hostile",
        World::default(),
        Limits {
            instances: 1,
            ..Limits::default()
        },
    )
    .await;
    assert_eq!(app.say("count", &[]).await, "1");
    for event in ["sleep", "loop"] {
        let mut call = event_call(event, &["3600000"], None);
        let call = app.worker.call(&mut call);
        let dropped = tokio::time::timeout(Duration::from_millis(5), call).await;
        assert!(dropped.is_err());
        assert_eq!(app.worker.stats().instances, 0, "{event}");
        assert_eq!(app.say("count", &[]).await, "1");
    }
}
