//! Bytes on the wire against transcripts of what the reference server was measured to say, wherever what it
//! says is the protocol and not its own quirk. The transcripts are data: see transcripts/README.
mod http;
mod pattern;
mod transcript;

use tempfile::TempDir;

use crate::harness::{AppDir, Wakeline, report};

/// Plays a transcript, each of its sections from the start, against an app at the root.
fn check(name: &str, transcript: &str, app: &AppDir) {
    let data = TempDir::new().unwrap();
    let wakeline = Wakeline::dev_in(&app.path(), data.path());
    let steps = transcript::play(transcript, &wakeline.address);
    report::figure(&format!("wire: {steps} lines of {name} as expected"));
}

macro_rules! transcripts {
    ($($test:ident: $file:literal, $app:expr;)*) => {
        $(#[test] fn $test() { check($file, include_str!(concat!("wire/transcripts/", $file)), &$app); })*
    };
}

/// Small, so that too much is little; the page of another origin is a known one.
const SETTINGS: &str = "[engine]\nmax_payload_bytes = 1024\n[origins]\nallow = [\"http://app.example\"]\n";

transcripts! {
    handshakes_and_refusals: "handshakes.txt", AppDir::example("bench", SETTINGS);
    polling: "polling.txt", AppDir::example("bench", SETTINGS);
    websocket: "websocket.txt", AppDir::example("bench", SETTINGS);
    upgrade: "upgrade.txt", AppDir::example("bench", SETTINGS);
    recovery: "recovery.txt", AppDir::example("bench", SETTINGS);
    namespaces: "namespaces.txt", AppDir::probe("[socketio]\nnamespaces = [\"/\", \"/admin\"]\n");
    bare_engineio: "raw.txt", AppDir::example("echo", "[raw]\nwebsocket = \"/ws\"\nengineio = \"/engine.io/\"\n");
}
