use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use bytes::Bytes;

use super::harness::{COMPILE_LIMITS, config, wasm};
use crate::{CompileError, CompileLimits, Digest, Engine, StartError};

async fn refused(wasm: impl Into<Bytes>) -> String {
    let engine = Engine::new(config(None)).unwrap();
    let limits = CompileLimits {
        wasm_bytes_max: 100_000,
        ..COMPILE_LIMITS
    };
    engine
        .compile(wasm.into(), limits)
        .await
        .err()
        .unwrap()
        .to_string()
}

fn text(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap()
}

#[tokio::test]
async fn first_mistakes_are_named() {
    let said = refused(text("(module)")).await;
    assert_eq!(
        said,
        "this is a core module, not a component: build with --target wasm32-wasip2"
    );
    assert_eq!(
        refused(b"#!/bin/sh\n".to_vec()).await,
        "this is not WebAssembly: it does not begin with \\0asm"
    );
    assert_eq!(
        refused(Vec::new()).await,
        "this is not WebAssembly: it does not begin with \\0asm"
    );
    let said = refused(vec![0; 100_001]).await;
    assert_eq!(said, "component_bytes = 100000: the component is 100001 bytes");
    let said = refused(text("(component)")).await;
    assert_eq!(
        said,
        "component does not export wakeline:app/handler@0.1.0#handle-connect; it exports nothing"
    );
}

#[tokio::test]
async fn imports_that_are_not_offered_are_named() {
    let said = refused(text(
        r#"(component (import "evil:corp/backdoor@1.0.0" (instance)))"#,
    ))
    .await;
    assert!(
        said.starts_with("component imports evil:corp/backdoor@1.0.0, which is not offered"),
        "{said}"
    );
    assert!(
        said.contains("wasi:keyvalue/{store,atomics}@0.2.0-draft"),
        "{said}"
    );
    for name in [
        "wasi:http/incoming-handler@0.2.0",
        "wasi:keyvalue/store@0.2.0-draft2",
        "wakeline:app/sockets@0.2.0",
    ] {
        let said = refused(text(&format!(r#"(component (import "{name}" (instance)))"#))).await;
        assert!(said.contains(&format!("imports {name}")), "{said}");
    }
}

#[tokio::test]
async fn garbage_is_refused() {
    let whole = wasm("plain");
    for cut in [8, 9, 100, whole.len() / 2, whole.len() - 1] {
        let said = refused(whole.slice(..cut)).await;
        assert!(
            said.starts_with("not a valid component") || said.starts_with("component does not export"),
            "{said}"
        );
    }
    // A flipped byte may leave a valid component; it must not do worse.
    let engine = Engine::new(config(None)).unwrap();
    for at in (8..whole.len()).step_by(whole.len() / 40) {
        let mut damaged = whole.to_vec();
        damaged[at] ^= 0x55;
        drop(engine.compile(damaged.into(), COMPILE_LIMITS).await);
    }
}

#[tokio::test]
async fn compiling_has_a_time_limit() {
    let engine = Engine::new(config(None)).unwrap();
    let limits = CompileLimits {
        time_max: Duration::ZERO,
        ..COMPILE_LIMITS
    };
    let error = engine.compile(wasm("hostile"), limits).await.err().unwrap();
    assert!(matches!(error, CompileError::TimedOut(_)), "{error}");
}

#[tokio::test]
async fn compiled_code_is_removed_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let engine = Engine::new(config(Some(cache.clone()))).unwrap();
    let component = engine.compile(wasm("plain"), COMPILE_LIMITS).await.unwrap();
    let digest = component.digest();
    for strange in ["wasmtime-1-00-ab.cwasm", "wasmtime-1-00-ab.sha256", "x.tmp-1"] {
        fs::write(cache.join(strange), "x").unwrap();
    }
    engine.forget_strange().unwrap();
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 2);
    assert_eq!(engine.kept().unwrap(), [digest.to_string()]);
    engine.forget(digest).unwrap();
    assert!(!engine.has(digest) && engine.load(digest).is_none());
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
}

#[tokio::test]
async fn compiled_code_is_kept_and_damage_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("deep/cache");
    let code_file = || -> PathBuf {
        let files = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
        let mut code: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|kind| kind == "cwasm"))
            .collect();
        assert_eq!(code.len(), 1);
        code.remove(0)
    };
    let wasm = wasm("plain");
    let digest = Digest::of(&wasm);
    // A process each: what one has verified, another has not.
    let start = || Engine::new(config(Some(cache.clone()))).unwrap();
    let engine = start();
    assert!(engine.load(digest).is_none());
    assert_eq!(
        engine
            .compile(wasm.clone(), COMPILE_LIMITS)
            .await
            .unwrap()
            .digest(),
        digest
    );
    assert!(engine.load(digest).is_some());
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    drop(engine);

    let engine = start();
    assert!(engine.load(digest).is_some(), "by another process");
    drop(engine);
    let mut code = fs::read(code_file()).unwrap();
    let middle = code.len() / 2;
    code[middle] ^= 1;
    // Not in place: the mapped file would change under the engine's feet.
    fs::remove_file(code_file()).unwrap_or_else(|error| panic!("{error}"));
    let name = format!("{digest}.cwasm");
    fs::write(cache.join("x"), &code).unwrap();
    let sum = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
    let sum = sum
        .into_iter()
        .find(|path| path.extension().is_some_and(|kind| kind == "sha256"))
        .unwrap();
    assert!(sum.to_str().unwrap().contains(name.trim_end_matches(".cwasm")));
    fs::rename(cache.join("x"), sum.with_extension("cwasm")).unwrap();

    let engine = start();
    assert!(engine.load(digest).is_none(), "damaged");
    assert!(
        engine.compile(wasm, COMPILE_LIMITS).await.is_ok(),
        "compiled again"
    );
    assert!(start().load(digest).is_some());
}

#[test]
fn a_cache_that_others_may_write_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let error = Engine::new(config(Some(dir.path().to_owned()))).unwrap_err();
    assert!(matches!(error, StartError::Cache { .. }), "{error}");
    assert!(
        error.to_string().contains("its mode is 755; it must be 700"),
        "{error}"
    );
}

#[test]
fn a_pool_that_does_not_fit_is_refused() {
    let mut too_many = config(None);
    too_many.instances_max = 1_000_000;
    let error = Engine::new(too_many).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("for 1000000 instances: a process has 98304 GiB"),
        "{error}"
    );
    let mut too_big = config(None);
    too_big.memory_bytes_max = 5 << 30;
    assert!(matches!(Engine::new(too_big).unwrap_err(), StartError::Config(_)));
    let mut most = config(None);
    (most.instances_max, most.calls_max) = (10_000, 2_000);
    assert!(
        Engine::new(most).is_ok(),
        "what the documentation calls near the most"
    );
}

#[tokio::test]
async fn a_handler_of_another_version_is_refused_before_its_first_call() {
    let said = refused(text(
        r#"(component
            (core module $code (func (export "f")))
            (core instance $made (instantiate $code))
            (func $f (canon lift (core func $made "f")))
            (instance $handler
                (export "handle-connect" (func $f))
                (export "handle-event" (func $f))
                (export "handle-disconnect" (func $f)))
            (export "wakeline:app/handler@0.1.0" (instance $handler)))"#,
    ))
    .await;
    assert!(said.contains("handle-connect takes other parameters"), "{said}");
}

/// Whoever never answers does not import `ack`, so linking says nothing of its token.
#[tokio::test]
async fn a_handler_whose_acks_have_other_tokens_is_refused_too() {
    let said = refused(text(
        r#"(component
            (core module $code (func (export "f") (param i32 i32 i32 i32)))
            (core instance $made (instantiate $code))
            (type $socket (record (field "number" u32)))
            (export $exported "socket" (type $socket))
            (func $f (param "socket" $exported) (param "event" u32) (param "ack" (option u8))
                (canon lift (core func $made "f")))
            (instance $handler
                (export "socket" (type $exported))
                (export "handle-connect" (func $f))
                (export "handle-event" (func $f))
                (export "handle-disconnect" (func $f)))
            (export "wakeline:app/handler@0.1.0" (instance $handler)))"#,
    ))
    .await;
    assert!(said.contains("handle-event takes other parameters"), "{said}");
}
