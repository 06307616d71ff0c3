//! Versions that do not work: refused where that can be seen, taken back where only their calls show it.
use std::fs;

use super::Labelled;
use crate::harness::{Host, Script};

#[test]
fn p12_a_component_that_lacks_the_world_is_refused_and_the_author_told_what_it_lacks() {
    let (host, app) = (Host::start(), Labelled::new("labels"));
    app.label("1", "");
    assert_eq!(host.run(&app.path(), &["deploy", "."]).code, 0);
    // The smallest component there is: it exports nothing.
    let small = app.path().join("small.wasm");
    fs::write(&small, b"\0asm\x0d\0\x01\0").unwrap();
    let ran = host.run(&app.path(), &["deploy", "small.wasm", "--app", "labels"]);
    assert_eq!(ran.code, 65, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("wakeline:app/handler"), "{}", ran.stderr);
    fs::write(&small, "hello").unwrap();
    let ran = host.run(&app.path(), &["deploy", "small.wasm", "--app", "labels"]);
    assert_eq!(ran.code, 65, "{}{}", ran.stdout, ran.stderr);
    let app = host.json(&app.path(), &["apps", "labels"]);
    assert_eq!(app["live"]["version"], 1, "{app}");
}

#[test]
fn p12_a_version_that_traps_at_once_is_taken_back_by_itself() {
    let (host, app) = (Host::start(), Labelled::new("labels"));
    app.label("good", "");
    assert_eq!(host.run(&app.path(), &["deploy", "."]).code, 0);
    Script::node("trapping.mjs")
        .variable("WAKELINE_URL", &host.wakeline.url())
        .variable("WAKELINE_PATH", "/labels/socket.io/")
        .within(300)
        .run_with(|what| {
            assert_eq!(what, "deploy");
            app.label("bad", "TRAP = \"1\"\n");
            let ran = host.run(&app.path(), &["deploy", "."]);
            assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        });
    let versions = host.json(&app.path(), &["versions", "labels"]);
    let bad = &versions["versions"][0];
    assert_eq!(bad["live"], false, "{versions}");
    let reason = bad["failed"].as_str().unwrap();
    assert!(
        reason.contains("this version is broken"),
        "the panic's words: {reason}"
    );
    assert!(reason.contains("wasm"), "the guest's backtrace: {reason}");
}
