//! Attacks below our world: components in text, on the engine as we configure it, without imports.
use super::{app_on, limits, serves, small_engine};
use crate::Engine;

/// Instantiates; the error's text if that fails, in compiling or in running.
async fn start(engine: &Engine, text: &str) -> Result<(), String> {
    let said = |error: wasmtime::Error| format!("{error:#}");
    let bytes = wat::parse_str(text).map_err(|error| error.to_string())?;
    let component = wasmtime::component::Component::new(engine.wasm(), bytes).map_err(said)?;
    let mut store = wasmtime::Store::new(engine.wasm(), ());
    store.set_epoch_deadline(1_000_000);
    let linker = wasmtime::component::Linker::new(engine.wasm());
    linker
        .instantiate_async(&mut store, &component)
        .await
        .map_err(said)?;
    Ok(())
}

/// One component hands `length` code units of a string at `pointer` to another that has another encoding and allocates
/// as `allocate` says. The memory has a page; the string begins at 0.
fn transcoding(from: &str, to: &str, pointer: &str, length: &str, allocate: &str) -> String {
    format!(
        r#"(component
          (component $callee
            (core module $m
              (memory (export "memory") 1)
              (global $next (mut i32) (i32.const 16))
              (func (export "realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32)
                (result i32) {allocate})
              (func (export "take") (param i32 i32)))
            (core instance $i (instantiate $m))
            (func (export "take") (param "s" string)
              (canon lift (core func $i "take") (memory (core memory $i "memory"))
                (realloc (core func $i "realloc"))
                string-encoding={to})))
          (component $caller
            (import "take" (func $take (param "s" string)))
            (core module $libc
              (memory (export "memory") 1)
              (data (i32.const 0) "h\c3\a9\f0\9f\98\80\00\d8\41\00\dc\00\ff\ff\00"))
            (core instance $libc (instantiate $libc))
            (core func $lowered (canon lower (func $take) (memory (core memory $libc "memory"))
              string-encoding={from}))
            (core module $m
              (import "" "take" (func $take (param i32 i32)))
              (func $start (call $take (i32.const {pointer}) (i32.const {length})))
              (start $start))
            (core instance (instantiate $m (with "" (instance (export "take" (func $lowered)))))))
          (instance $callee (instantiate $callee))
          (instance (instantiate $caller (with "take" (func $callee "take")))))"#
    )
}

/// Gives memory from a counter, aligned.
const FAIR: &str = "(global.set $next (i32.and (i32.add (global.get $next) (i32.const 63)) (i32.const -16)))
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size)))";

#[tokio::test]
async fn rustsec_2026_0091_0092_0093_strings_of_every_encoding_stay_in_bounds() {
    let engine = small_engine();
    let encodings = ["utf8", "utf16", "latin1+utf16"];
    for from in encodings {
        for to in encodings {
            let honest = start(&engine, &transcoding(from, to, "0", "1", FAIR)).await;
            assert_eq!(honest, Ok(()), "{from} to {to}");
            for (pointer, length) in [
                // A byte of the page, and what lies behind it; odd places; lengths that overflow; UTF-16's mark.
                ("65534", "1"),
                ("65535", "1"),
                ("65536", "1"),
                ("1", "3"),
                ("3", "70000"),
                ("0", "0x7fffffff"),
                ("0", "0x80000000"),
                ("0", "0x80000003"),
                ("0", "0xffffffff"),
                ("0x80000000", "0x80000001"),
                ("0xfffffffe", "4"),
            ] {
                let text = transcoding(from, to, pointer, length, FAIR);
                // Taken or refused; a panic of the host would fail the test.
                drop(start(&engine, &text).await);
            }
            for allocate in [
                "i32.const -1",
                "i32.const 65535",
                "i32.const 1",
                "i32.const 0x7fffffff",
                "unreachable",
            ] {
                drop(start(&engine, &transcoding(from, to, "0", "7", allocate)).await);
            }
            let far = start(&engine, &transcoding(from, to, "0", "0x7fffffff", FAIR)).await;
            assert!(far.is_err(), "{from} to {to}");
            let nowhere = start(&engine, &transcoding(from, to, "0", "7", "i32.const 0x7ffffff0")).await;
            assert!(nowhere.is_err(), "{from} to {to}");
        }
    }
    serves(&app_on(&engine, limits()).await).await;
}

fn module(fields: &str) -> String {
    format!("(component (core module $m {fields}) (core instance (instantiate $m)))")
}

#[tokio::test]
async fn rustsec_2026_0114_a_table_that_nobody_can_have_is_an_error() {
    let engine = small_engine();
    for fields in [
        "(table 4294967295 funcref)",
        "(table 20001 funcref)",
        "(table 4294967295 4294967295 externref)",
        "(table i64 0xffffffffffffffff funcref)",
    ] {
        assert!(start(&engine, &module(fields)).await.is_err(), "{fields}");
    }
    // Growing is refused within the guest.
    let grow = "(table $t 1 funcref)
        (func $start
          (if (i32.ne (table.grow $t (ref.null func) (i32.const 0x7fffffff)) (i32.const -1)) (then unreachable)))
        (start $start)";
    assert_eq!(start(&engine, &module(grow)).await, Ok(()));
    serves(&app_on(&engine, limits()).await).await;
}

/// Loads of floats at the end of memory: what the machine reads is what WebAssembly allows.
#[tokio::test]
async fn rustsec_2026_0006_2026_0087_loads_of_floats_end_where_memory_does() {
    let engine = small_engine();
    let at = |load: &str, address: u32| {
        module(&format!(
            "(memory 1 1) (global $a (mut i32) (i32.const {address}))
             (func $start (drop ({load} (global.get $a))))
             (start $start)"
        ))
    };
    for (load, bytes) in [
        ("f64x2.splat (f64.load", 8),
        ("f32x4.splat (f32.load", 4),
        ("f64.copysign (f64.const 1) (f64.load", 8),
        ("f32.copysign (f32.const 1) (f32.load", 4),
    ] {
        let nested = |address| at(load, address).replace("(global.get $a))", "(global.get $a)))");
        assert_eq!(start(&engine, &nested(65_536 - bytes)).await, Ok(()), "{load}");
        let said = start(&engine, &nested(65_537 - bytes)).await.unwrap_err();
        assert!(said.contains("out of bounds"), "{load}: {said}");
    }
    serves(&app_on(&engine, limits()).await).await;
}

/// Memory that threads share is not for guests.
#[tokio::test]
async fn rustsec_2025_0118_shared_memory_is_refused() {
    let engine = small_engine();
    assert_eq!(start(&engine, &module("(memory 1 1)")).await, Ok(()));
    assert!(start(&engine, &module("(memory 1 1 shared)")).await.is_err());
    serves(&app_on(&engine, limits()).await).await;
}
