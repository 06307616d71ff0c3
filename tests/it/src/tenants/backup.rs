//! What OPERATIONS.md says to save of one node is all that it takes.
use std::fs;

use tempfile::TempDir;

use super::{Labelled, copy};
use crate::harness::{Host, Script};

fn check(host: &Host, label: &str) {
    Script::node("counted.mjs")
        .variable("WAKELINE_URL", &host.wakeline.url())
        .variable("WAKELINE_PATH", "/labels/socket.io/")
        .variable("PUSHES", "2")
        .variable("LABEL", label)
        .run();
}

#[test]
fn a_node_is_restored_from_what_was_saved_of_it() {
    let (mut host, app) = (Host::start(), Labelled::new("labels"));
    let ok = |host: &Host, words: &[&str]| {
        let ran = host.run(&app.path(), words);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    for label in ["one", "two"] {
        app.label(label, "");
        ok(&host, &["deploy", "."]);
        ok(&host, &["push", "labels", "--topic", "news"]);
    }
    let token = ok(
        &host,
        &["tokens", "create", "labels", "--name", "ci", "--scopes", "read"],
    );
    check(&host, "two");
    host.wakeline.terminate();
    let saved = TempDir::new().unwrap();
    for part in ["store", "admin-token", "secrets-key"] {
        copy(&host.data.path().join(part), saved.path());
    }
    drop(host);

    let host = Host::start_in(saved);
    check(&host, "two");
    fs::write(app.path().join("token"), token).unwrap();
    let known = ok(&host, &["whoami", "--json", "--token-file", "token"]);
    assert!(known.contains("\"ci\""), "{known}");
    // What is older than the live version is there as well.
    ok(&host, &["rollback", "labels"]);
    check(&host, "one");
}
