//! `wakeline` as people meet it: first mistakes, and the first app.
mod deployed;
mod https;
mod person;
mod stand_in;
mod strangers;
mod terminal;

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use self::person::Person;
use crate::harness::{AppDir, Output, Script, Wakeline, binary, report, root};

/// Runs a command that must fail by itself; its exit code and all that it said.
fn fails(arguments: &[&str], directory: &Path) -> (i32, String) {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(directory);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code().unwrap_or(-1), said)
}

/// What is said names each of `words`.
fn check(arguments: &[&str], directory: &Path, code: i32, words: &[&str]) {
    let (found, said) = fails(arguments, directory);
    assert_eq!(found, code, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in:\n{said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

fn app_with(manifest: &str) -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("wakeline.toml"), manifest).unwrap();
    directory
}

#[test]
fn a_folder_without_a_manifest_is_named_and_what_makes_one() {
    let directory = TempDir::new().unwrap();
    check(&["dev"], directory.path(), 64, &["wakeline.toml", "wakeline new"]);
    check(
        &["serve", "no-such-folder"],
        directory.path(),
        64,
        &["no-such-folder"],
    );
}

#[test]
fn a_wrong_manifest_is_shown_by_file_line_key_and_expectation() {
    let directory = app_with("name = \"x\"\n[engine]\nping_interval_ms = \"soon\"\n");
    check(
        &["dev"],
        directory.path(),
        65,
        &["wakeline.toml:3", "engine.ping_interval_ms", "\"soon\""],
    );
    let directory = app_with("[engine]\nping_intervall_ms = 5\n");
    check(
        &["dev"],
        directory.path(),
        65,
        &["wakeline.toml:2", "ping_intervall_ms", "ping_interval_ms"],
    );
    let directory = app_with("name = [\n");
    check(&["dev"], directory.path(), 65, &["wakeline.toml:"]);
}

#[test]
fn a_taken_port_is_named_and_a_free_one_offered() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let app = AppDir::example("bench", "");
    check(
        &["dev", app.path().to_str().unwrap(), "--listen", &address],
        &root(),
        69,
        &[&address, "--listen 127.0.0.1:0"],
    );
}

#[test]
fn a_component_that_is_not_built_is_asked_for() {
    let directory = app_with("name = \"x\"\n[build]\ncommand = \"true\"\n");
    check(&["dev"], directory.path(), 65, &["no component", "component"]);
    check(
        &["serve", ".", "--listen", "127.0.0.1:0"],
        directory.path(),
        65,
        &["x.wasm", "wakeline build"],
    );
}

#[test]
fn a_component_of_another_world_is_refused_with_what_it_lacks() {
    let directory = app_with("name = \"x\"\ncomponent = \"x.wasm\"\n[build]\ncommand = \"true\"\n");
    // The smallest component there is: it exports nothing.
    fs::write(directory.path().join("x.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
    check(&["build"], directory.path(), 65, &["wakeline:app/handler"]);
    fs::write(directory.path().join("x.wasm"), "hello").unwrap();
    check(&["build"], directory.path(), 65, &["x.wasm"]);
}

#[test]
fn a_build_that_fails_says_which_command_and_where() {
    let directory = app_with("name = \"x\"\n[build]\ncommand = \"echo what the compiler says; exit 7\"\n");
    check(
        &["build"],
        directory.path(),
        65,
        &["what the compiler says", "exit 7"],
    );
}

#[test]
fn an_unknown_option_is_usage() {
    check(&["serve", "--lisen", "x"], &root(), 64, &["--lisen", "--listen"]);
    check(
        &["dev", "--listen", "nowhere"],
        &root(),
        64,
        &["--listen", "nowhere"],
    );
}

#[test]
fn a_new_app_builds_runs_and_says_hello() {
    let directory = TempDir::new().unwrap();
    let made = Command::new(binary())
        .args(["new", "greeter"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let app = directory.path().join("greeter");
    let wakeline = Wakeline::dev(&app);
    Script::node("hello.mjs")
        .variable("WAKELINE_URL", &wakeline.url())
        .run();
    // Its own unit test passes too, natively.
    let tested = Command::new("cargo")
        .args(["test", "--quiet"])
        .current_dir(&app)
        .env_remove("CARGO")
        .output()
        .unwrap();
    assert!(
        tested.status.success(),
        "{}",
        String::from_utf8_lossy(&tested.stderr)
    );
    // What is there already is not written over.
    check(&["new", "greeter"], directory.path(), 64, &["greeter"]);
}

#[test]
fn a_new_app_builds_with_cargo_component_too() {
    let tool = root().join("target/tools/bin/cargo-component");
    if !tool.is_file() {
        return report::skip("cargo-component is not in target/tools; `cargo xtask test` installs it");
    }
    let directory = TempDir::new().unwrap();
    check_succeeds(
        Command::new(binary())
            .args(["new", "greeter"])
            .current_dir(directory.path()),
    );
    let app = directory.path().join("greeter");
    check_succeeds(
        Command::new(tool)
            .args(["component", "build", "--release"])
            .current_dir(&app)
            .env_remove("CARGO"),
    );
    let manifest = "name = \"greeter\"\ncomponent = \"target/wasm32-wasip1/release/greeter.wasm\"\n\n\
                    [build]\ncommand = \"true\"\n";
    fs::write(app.join("wakeline.toml"), manifest).unwrap();
    let wakeline = Wakeline::dev(&app);
    Script::node("hello.mjs")
        .variable("WAKELINE_URL", &wakeline.url())
        .run();
}

fn check_succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn serve_prints_one_line_when_it_is_ready() {
    let app = AppDir::example("bench", "");
    let data = TempDir::new().unwrap();
    let mut command = Command::new(binary());
    command.arg("serve").arg(app.path()).args([
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--data",
    ]);
    let mut child = command
        .arg(data.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = Output::default();
    output.collect(child.stdout.take().unwrap());
    let line = output.wait(Duration::from_mins(1), |line| Some(line.to_owned()));
    child.kill().unwrap();
    child.wait().unwrap();
    let line = line.expect("a line");
    let (listen, admin) = line.split_once(", admin on http://127.0.0.1:").expect(&line);
    let port = |text: &str| text.parse::<u16>().unwrap();
    assert!(
        port(
            listen
                .strip_prefix("wakeline: listening on http://127.0.0.1:")
                .expect(&line)
        ) > 0
    );
    assert!(port(admin) > 0);
}

#[test]
fn every_shell_gets_its_script_and_the_long_help_its_codes() {
    let person = Person::new();
    for shell in ["bash", "zsh", "fish"] {
        let outcome = person.run(&["completions", shell], "");
        outcome.check(0, &[]);
        assert!(outcome.out.contains("rollback"), "{shell}");
    }
    let help = person.run(&["--help"], "");
    for word in ["Exit codes:", "  77  the token", "wakeline-data/admin-token"] {
        assert!(help.out.contains(word), "{word:?} is missing in:\n{}", help.out);
    }
}
