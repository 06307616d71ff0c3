//! Commands that speak to a host.
#![expect(clippy::unnecessary_wraps, reason = "a script may say nothing of a request")]
use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::host::{FakeHost, Request, answer, error};
use crate::harness::binary;

/// What a command came to.
struct Outcome {
    code: i32,
    out: String,
    err: String,
}

/// Runs `wakeline` as somebody whose home is `home`, with a token in a variable, and `stdin` to read.
fn run(home: &Path, arguments: &[&str], stdin: &str) -> Outcome {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read is none of this one's business.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let outcome = Outcome {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    };
    assert!(!outcome.err.contains("panicked"), "{}", outcome.err);
    outcome
}

/// The same with a host and a token named.
fn at(host: &FakeHost, home: &Path, arguments: &[&str]) -> Outcome {
    let token = home.join("token");
    fs::write(&token, "wka_secret\n").unwrap();
    let mut all = arguments.to_vec();
    let url = host.url();
    all.extend(["--host", &url, "--token-file", token.to_str().unwrap()]);
    run(home, &all, "")
}

impl Outcome {
    fn check(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is missing in:\n{}", self.err);
        }
        assert!(!self.err.contains("wka_secret"), "{}", self.err);
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{}", self.out))
    }
}

/// A folder with an app whose component is there, and one asset.
fn greeter() -> TempDir {
    let home = TempDir::new().unwrap();
    let manifest = "name = \"greeter\"\ncomponent = \"x.wasm\"\n[assets]\ndir = \"public\"\n[build]\ncommand = \"true\"\n";
    fs::write(home.path().join("wakeline.toml"), manifest).unwrap();
    fs::write(home.path().join("x.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
    fs::create_dir(home.path().join("public")).unwrap();
    fs::write(home.path().join("public/index.html"), "hello").unwrap();
    home
}

#[test]
fn a_deploy_tells_all_of_the_app_and_prints_the_address_and_the_version() {
    let (home, host) = (greeter(), FakeHost::start(|_| None));
    let outcome = at(&host, home.path(), &["deploy"]);
    outcome.check(0, &["Deploying greeter", "Created greeter", "Live on 2 nodes"]);
    assert_eq!(outcome.out, "http://greeter.test/ version 7\n");
    assert_eq!(
        host.lines(),
        [
            "GET /v1/whoami",
            "PUT /v1/apps/greeter",
            "PUT /v1/apps/greeter/assets",
            "POST /v1/apps/greeter/versions",
            "POST /v1/apps/greeter/live"
        ]
    );
    let asked = host.asked();
    assert!(
        asked
            .iter()
            .all(|request| request.authorization == "Bearer wka_secret")
    );
    assert_eq!(
        asked[1].body,
        fs::read(home.path().join("wakeline.toml")).unwrap()
    );
    assert_eq!(asked[3].body, b"\0asm\x0d\0\x01\0");
    let live: Value = serde_json::from_slice(&asked[4].body).unwrap();
    assert_eq!(live, json!({ "version": 7, "percent": 100, "wait_ms": 10_000 }));
}

#[test]
fn a_deploy_for_scripts_is_one_object() {
    let (home, host) = (greeter(), FakeHost::start(|_| None));
    fs::remove_file(home.path().join("wakeline.toml")).unwrap();
    let arguments = ["deploy", "x.wasm", "--app", "greeter", "--percent", "5", "--json"];
    // A component alone leaves the manifest alone; the app is new here, so it gets an empty one.
    let answer = at(&host, home.path(), &arguments).json();
    assert_eq!(
        answer,
        json!({
            "app": "greeter", "version": 7, "digest": "d7", "size_bytes": 8, "existing": false, "percent": 100,
            "url": "http://greeter.test/",
            "nodes": [{ "node": "a", "state": "live" }, { "node": "b", "state": "live" }],
        })
    );
    let asked = host.asked();
    let live: Value = serde_json::from_slice(&asked.last().unwrap().body).unwrap();
    assert_eq!(live["percent"], 5);
}

#[test]
fn a_component_that_is_refused_is_the_apps_fault_in_the_hosts_words() {
    fn refuse(request: &Request) -> Option<String> {
        let message = "it traps when it is made:\n  0: greeter::init";
        request
            .line
            .ends_with("/versions")
            .then(|| error("422 Unprocessable Content", "component", message))
    }
    let (home, host) = (greeter(), FakeHost::start(refuse));
    let outcome = at(&host, home.path(), &["deploy", "--json"]);
    outcome.check(65, &["it traps when it is made:\n", "0: greeter::init"]);
    assert_eq!(outcome.json()["error"]["code"], "component");
    assert_eq!(host.lines().last().unwrap(), "POST /v1/apps/greeter/versions");
}

#[test]
fn nodes_that_are_behind_or_failed_are_named() {
    fn fail(request: &Request) -> Option<String> {
        let nodes = json!([
            { "node": "a", "state": "live" },
            { "node": "b", "state": "failed", "reason": "no room for its code" },
        ]);
        let whole = json!({ "version": 7, "percent": 100, "url": "http://x/", "nodes": nodes });
        request.line.ends_with("/live").then(|| answer("200 OK", &whole))
    }
    let (home, host) = (greeter(), FakeHost::start(fail));
    let outcome = at(&host, home.path(), &["deploy"]);
    outcome.check(
        65,
        &[
            "1 of 2 nodes",
            "b: failed: no room for its code",
            "wakeline rollback greeter",
        ],
    );
    assert_eq!(outcome.out, "");
    let outcome = at(&host, home.path(), &["rollback", "greeter", "--json"]);
    outcome.check(75, &["a: behind"]);
    let answer = outcome.json();
    assert_eq!(
        (&answer["version"], &answer["error"]["code"]),
        (&json!(6), &json!("later"))
    );
}

#[test]
fn first_mistakes_name_their_remedy() {
    let (home, host) = (greeter(), FakeHost::start(|_| None));
    let home = home.path();
    at(&host, home, &["versions", "gretter"]).check(66, &["no such app", "\"greeter\" meant?"]);
    at(&host, home, &["versions", "payments"]).check(66, &["wakeline apps"]);
    at(&host, home, &["push", "greeter", "say", "hello"]).check(64, &["'\"hello\"'"]);
    at(&host, home, &["deploy", "public"]).check(64, &["wakeline.toml", "wakeline new"]);
    at(&host, home, &["deploy", "y.wasm"]).check(66, &["y.wasm"]);
    at(&host, home, &["delete", "greeter"]).check(66, &["no such app"]);
    at(&host, home, &["login", "--profile", "x"]).check(64, &["--profile"]);
    run(home, &["whoami", "--profile", "x"], "").check(64, &["wakeline login --profile x"]);
    run(home, &["whoami", "--host", "greeter.test"], "").check(64, &["https://"]);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{free}");
    run(home, &["whoami", "--host", &nobody], "").check(69, &[&nobody, "wakeline serve"]);
}

#[test]
fn tokens_that_are_wrong_missing_or_too_weak_are_told_apart() {
    fn refuse(request: &Request) -> Option<String> {
        match request.line.as_str() {
            "GET /v1/nodes" => Some(error("403 Forbidden", "forbidden", "this is for operators")),
            _ => Some(error("401 Unauthorized", "unauthorised", "send a token")),
        }
    }
    let (home, host) = (TempDir::new().unwrap(), FakeHost::start(refuse));
    at(&host, home.path(), &["whoami"]).check(77, &["does not know this token", "wakeline login"]);
    at(&host, home.path(), &["nodes"]).check(77, &["this is for operators", "wakeline whoami"]);
    let without = run(home.path(), &["whoami", "--host", &host.url()], "");
    without.check(
        77,
        &[
            "no token was found",
            "WAKELINE_TOKEN",
            "wakeline-data/admin-token",
        ],
    );
    assert_eq!(host.asked().last().unwrap().authorization, "");
}

#[test]
fn a_stranger_is_not_taken_for_a_host() {
    fn page(_: &Request) -> Option<String> {
        Some("HTTP/1.1 404 Not Found\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>".to_owned())
    }
    fn moved(_: &Request) -> Option<String> {
        Some(
            "HTTP/1.1 301 Moved Permanently\r\nlocation: https://x.test/\r\ncontent-length: 0\r\n\r\n"
                .to_owned(),
        )
    }
    let home = TempDir::new().unwrap();
    let host = FakeHost::start(page);
    at(&host, home.path(), &["apps"]).check(76, &["is not a wakeline's admin address"]);
    let host = FakeHost::start(moved);
    at(&host, home.path(), &["apps"]).check(64, &["https://x.test/"]);
    assert_eq!(host.lines().len(), 1, "a token follows nobody");
}

#[test]
fn a_login_is_kept_for_its_owner_only_and_only_if_the_host_takes_it() {
    fn operator(request: &Request) -> Option<String> {
        let whoami = json!({ "kind": "operator", "scopes": [], "name": "root", "id": "o" });
        Some(match request.authorization.as_str() {
            "Bearer wko_right" => answer("200 OK", &whoami),
            _ => error("401 Unauthorized", "unauthorised", "that is no token of ours"),
        })
    }
    let (home, host) = (TempDir::new().unwrap(), FakeHost::start(operator));
    let (home, url) = (home.path(), host.url());
    let login = ["login", "--profile", "prod", "--host", &url];
    run(home, &login, "wko_wrong\n").check(77, &["no token of ours"]);
    let file = home.join(".config/wakeline/config.toml");
    assert!(!file.exists());
    run(home, &login, "wko_right\n").check(0, &["Kept prod", "root (operator)"]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // It is the default from now on.
    let whoami = run(home, &["whoami", "--json"], "").json();
    assert_eq!(whoami["name"], "root");
    let profiles = run(home, &["profiles", "--json"], "").json();
    assert_eq!(
        profiles,
        json!({ "profiles": [{ "name": "prod", "host": url, "default": true }] })
    );
    let other = FakeHost::start(operator);
    run(home, &["whoami", "--host", &other.url()], "").check(77, &["no token was found"]);
    assert_eq!(
        other.asked()[0].authorization,
        "",
        "a profile's token is its host's"
    );
    fs::write(&file, "[profiles.x]\ntoken = wko_hidden\n").unwrap();
    let broken = run(home, &["whoami"], "");
    broken.check(78, &["config.toml: line 2"]);
    assert!(!broken.err.contains("wko_hidden"), "{}", broken.err);
}

#[test]
fn a_secret_comes_from_stdin_and_a_new_token_is_all_of_stdout() {
    fn keep(request: &Request) -> Option<String> {
        match request.line.as_str() {
            "PUT /v1/apps/greeter/secrets/API_KEY" => Some("HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
            "POST /v1/apps/greeter/tokens" => {
                Some(answer("201 Created", &json!({ "id": "t9", "token": "wka_new" })))
            }
            _ => None,
        }
    }
    let (home, host) = (TempDir::new().unwrap(), FakeHost::start(keep));
    let url = host.url();
    let set = ["secrets", "set", "greeter", "API_KEY", "--host", &url];
    run(home.path(), &set, "line 1\nline 2\n").check(0, &["Set API_KEY"]);
    assert_eq!(host.asked()[0].body, b"line 1\nline 2");
    let create = [
        "tokens",
        "create",
        "greeter",
        "--name",
        "ci",
        "--scopes",
        "deploy,logs",
        "--expires",
        "30d",
    ];
    let outcome = at(&host, home.path(), &create);
    outcome.check(0, &["ci (t9)", "not shown again"]);
    assert_eq!(outcome.out, "wka_new\n");
    let body: Value = serde_json::from_slice(&host.asked()[1].body).unwrap();
    assert_eq!(
        body,
        json!({ "name": "ci", "scopes": ["deploy", "logs"], "expires_in_s": 2_592_000 })
    );
}

#[test]
fn a_log_that_breaks_off_goes_on_without_a_line_lost_or_doubled() {
    /// The second time it has what was said meanwhile, and ends the test by a refusal.
    fn log(request: &Request) -> Option<String> {
        let line =
            |n: u32| format!("data: {{\"at_ms\":{n},\"level\":\"info\",\"message\":\"line {n}\"}}\n\n");
        let stream =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunk = |text: String| format!("{:x}\r\n{text}\r\n", text.len());
        match request.line.as_str() {
            "GET /v1/apps/greeter/logs?tail=100&follow=1" => {
                Some(format!("{stream}{}", chunk([line(1), line(1), line(2)].concat())))
            }
            "GET /v1/apps/greeter/logs?tail=1000&follow=1" => Some(format!(
                "{stream}{}0\r\n\r\n",
                chunk([line(1), line(2), line(3)].concat())
            )),
            _ => None,
        }
    }
    let (home, host) = (TempDir::new().unwrap(), FakeHost::start(log));
    let token = home.path().join("token");
    fs::write(&token, "wka_secret").unwrap();
    let mut child = Command::new(binary())
        .args([
            "logs",
            "greeter",
            "--follow",
            "--json",
            "--host",
            &host.url(),
            "--token-file",
        ])
        .arg(&token)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (out, err) = (
        crate::harness::Output::default(),
        crate::harness::Output::default(),
    );
    out.collect(child.stdout.take().unwrap());
    err.collect(child.stderr.take().unwrap());
    let limit = std::time::Duration::from_mins(1);
    let third = out.wait(limit, |line| line.contains("line 3").then_some(()));
    let word = err.wait(limit, |line| line.contains("asking again").then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(third.is_some() && word.is_some(), "{}{}", out.text(), err.text());
    let said: Vec<_> = out
        .text()
        .lines()
        .map(|line| line.split("line ").nth(1).unwrap()[..1].to_owned())
        .collect();
    assert_eq!(said, ["1", "1", "2", "3"]);
}

#[test]
fn every_shell_gets_its_script_and_the_long_help_its_codes() {
    let home = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let outcome = run(home.path(), &["completions", shell], "");
        outcome.check(0, &[]);
        assert!(outcome.out.contains("rollback"), "{shell}");
    }
    let help = run(home.path(), &["--help"], "");
    for word in ["Exit codes:", "  77  the token", "wakeline-data/admin-token"] {
        assert!(help.out.contains(word), "{word:?} is missing in:\n{}", help.out);
    }
}
