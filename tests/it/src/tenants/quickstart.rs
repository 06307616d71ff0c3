//! The README's quick start, from nothing, with the real programs.
use std::fs;

use tempfile::TempDir;

use crate::harness::{Host, Script};

#[test]
fn a_new_app_is_deployed_changed_and_rolled_back_under_its_clients_socket() {
    let host = Host::start();
    let work = TempDir::new().unwrap();
    assert_eq!(host.run(work.path(), &["new", "hello"]).code, 0);
    let app = work.path().join("hello");
    let deploy = |answer: &str| {
        let source = fs::read_to_string(app.join("src/lib.rs")).unwrap();
        let (before, rest) = source.split_once("Ok(format!(\"").unwrap();
        let (_, after) = rest.split_once("{name}").unwrap();
        fs::write(
            app.join("src/lib.rs"),
            format!("{before}Ok(format!(\"{answer}{{name}}{after}"),
        )
        .unwrap();
        let ran = host.run(work.path(), &["deploy", "hello"]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    let said = deploy("Hello, ");
    assert!(said.contains("/hello/"), "the URL is printed: {said}");
    let page = host.wakeline.url();
    Script::node("quickstart.mjs")
        .variable("WAKELINE_URL", &page)
        .variable("WAKELINE_PATH", "/hello/socket.io/")
        .within(600)
        .run_with(|what| match what {
            "deploy" => drop(deploy("Good day, ")),
            "rollback" => {
                let ran = host.run(work.path(), &["rollback", "hello"]);
                assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
            }
            _ => panic!("nobody here can {what}"),
        });
    let versions = host.json(work.path(), &["versions", "hello"]);
    assert_eq!(versions["versions"].as_array().unwrap().len(), 2, "{versions}");
}
