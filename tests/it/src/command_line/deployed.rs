//! Commands that speak to a real host.
use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, process::Stdio, time::Duration};

use serde_json::json;

use super::person::{Outcome, Person};
use crate::harness::{Host, Output, binary, component};

/// As the first operator, whose token the host has made.
fn at(host: &Host, person: &Person, words: &[&str]) -> Outcome {
    let token = fs::read_to_string(host.token_file()).unwrap();
    person.at(&url(host), token.trim(), words)
}

fn url(host: &Host) -> String {
    format!("http://{}", host.admin)
}

/// A token that was just made: all of stdout is it.
fn token(host: &Host, person: &Person, words: &[&str]) -> String {
    let made = at(host, person, &[&["tokens", "create"], words].concat());
    made.check(0, &["not shown again"]);
    made.out.trim_end().to_owned()
}

#[test]
fn a_deploy_tells_all_of_the_app_and_prints_the_address_and_the_version() {
    let (person, host) = (Person::with_greeter(), Host::start());
    let outcome = at(&host, &person, &["deploy"]);
    outcome.check(
        0,
        &[
            "Deploying greeter",
            "(operator)",
            "Created greeter",
            "Uploading the assets",
            "Uploading the component",
            "Checked version 1",
            "Live on the host",
        ],
    );
    let page = format!("{}/greeter/", host.wakeline.url());
    assert_eq!(outcome.out, format!("{page} version 1\n"));
    let ci = token(
        &host,
        &person,
        &["greeter", "--name", "ci", "--scopes", "deploy,read"],
    );
    let again = person.at(&url(&host), &ci, &["deploy"]);
    again.check(
        0,
        &[
            "as ci (app greeter: read, deploy)",
            "Unchanged",
            "version 1 already",
        ],
    );
    assert_eq!(again.out, outcome.out);
    let app = at(&host, &person, &["apps", "greeter", "--json"]).json();
    assert_eq!(
        (&app["live"]["version"], &app["versions"]),
        (&json!(1), &json!(1))
    );
    let shown = at(&host, &person, &["apps", "greeter"]);
    for word in ["live: version 1", "connections", "kv_bytes", "10000"] {
        // Keys are not counted before the app has written one.
        assert_eq!(shown.out.contains(word), word != "kv_bytes", "{}", shown.out);
    }
}

#[test]
fn a_deploy_for_scripts_is_one_object() {
    let (person, host) = (Person::with_greeter(), Host::start());
    at(&host, &person, &["deploy"]).check(0, &[]);
    // A component alone leaves the manifest alone.
    fs::remove_file(person.home().join("wakeline.toml")).unwrap();
    fs::copy(component("examples", "echo"), person.home().join("y.wasm")).unwrap();
    let words = ["deploy", "y.wasm", "--app", "greeter", "--percent", "5", "--json"];
    let mut answer = at(&host, &person, &words).json();
    let digest = answer["digest"].take();
    assert_eq!(digest.as_str().unwrap().len(), 64);
    let size = fs::metadata(person.home().join("y.wasm")).unwrap().len();
    let node = answer["nodes"][0]["node"].clone();
    assert_eq!(
        answer,
        json!({
            "app": "greeter", "version": 2, "digest": null, "size_bytes": size, "existing": false, "percent": 5,
            "url": format!("{}/greeter/", host.wakeline.url()), "nodes": [{ "node": node, "state": "live" }],
        })
    );
    let versions = at(&host, &person, &["versions", "greeter", "--json"]).json();
    let percents: Vec<_> = versions["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["percent"])
        .collect();
    assert_eq!(percents, [5, 95]);
}

#[test]
fn a_component_that_is_refused_is_the_apps_fault_in_the_hosts_words() {
    let (person, host) = (Person::with_greeter(), Host::start());
    // The smallest component there is: it exports nothing.
    person.write("x.wasm", "\0asm\x0d\0\x01\0");
    let outcome = at(&host, &person, &["deploy", "--json"]);
    outcome.check(65, &["wakeline:app/handler"]);
    assert_eq!(outcome.json()["error"]["code"], "component");
    // The app is there, and nothing of it runs.
    for words in [&["logs", "greeter"][..], &["push", "greeter", "say"]] {
        at(&host, &person, words).check(66, &["has no live version yet: deploy one"]);
    }
}

#[test]
fn first_mistakes_name_their_remedy() {
    let (person, host) = (Person::with_greeter(), Host::start());
    let at = |words: &[&str]| at(&host, &person, words);
    at(&["deploy"]).check(0, &[]);
    at(&["versions", "gretter"]).check(66, &["no app", "\"greeter\" meant?"]);
    at(&["versions", "payments"]).check(66, &["wakeline apps"]);
    at(&["push", "greeter", "say", "hello"]).check(64, &["'\"hello\"'"]);
    at(&["deploy", "public"]).check(64, &["wakeline.toml", "wakeline new"]);
    at(&["deploy", "y.wasm"]).check(66, &["y.wasm"]);
    at(&["delete", "gretter"]).check(66, &["no app"]);
    at(&["delete", "greeter"]).check(64, &["nobody to answer", "--yes"]);
    at(&["login", "--profile", "x"]).check(64, &["--profile"]);
    person
        .run(&["whoami", "--profile", "x"], "")
        .check(64, &["wakeline login --profile x"]);
    person
        .run(&["whoami", "--host", "greeter.test"], "")
        .check(64, &["https://"]);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{free}");
    person
        .run(&["whoami", "--host", &nobody], "")
        .check(69, &[&nobody, "wakeline serve"]);
    at(&["delete", "greeter", "--yes"]).check(0, &["Removed greeter"]);
    at(&["versions", "greeter"]).check(66, &["no app"]);
}

#[test]
fn tokens_that_are_wrong_missing_or_too_weak_are_told_apart() {
    let (person, host) = (Person::with_greeter(), Host::start());
    at(&host, &person, &["deploy"]).check(0, &[]);
    let weak = token(&host, &person, &["greeter", "--name", "eyes", "--scopes", "read"]);
    let with = |token: &str, words: &[&str]| person.at(&url(&host), token, words);
    with(&weak, &["apps", "greeter"]).check(0, &[]);
    with(&weak, &["nodes"]).check(77, &["operators", "wakeline whoami"]);
    with(&weak, &["push", "greeter", "say"]).check(77, &["the scope `emit`"]);
    with("wka_wrong", &["whoami"]).check(77, &["does not know this token", "wakeline login"]);
    let id = at(&host, &person, &["tokens", "list", "greeter", "--json"]).json()["tokens"][0]["id"].clone();
    at(
        &host,
        &person,
        &["tokens", "revoke", "greeter", id.as_str().unwrap()],
    )
    .check(0, &["Revoked"]);
    with(&weak, &["apps", "greeter"]).check(77, &["does not know this token"]);
    let without = person.run(&["whoami", "--host", &url(&host)], "");
    without.check(
        77,
        &[
            "no token was found",
            "WAKELINE_TOKEN",
            "wakeline-data/admin-token",
        ],
    );
}

#[test]
fn a_login_is_kept_for_its_owner_only_and_only_if_the_host_takes_it() {
    let (person, host) = (Person::new(), Host::start());
    let right = token(&host, &person, &["--name", "root"]);
    let url = url(&host);
    let login = ["login", "--profile", "prod", "--host", &url];
    person
        .run(&login, "wko_wrong\n")
        .check(77, &["does not know this token"]);
    let file = person.home().join(".config/wakeline/config.toml");
    assert!(!file.exists());
    person
        .run(&login, &format!("{right}\n"))
        .check(0, &["Kept prod", "root (operator)"]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // It is the default from now on.
    let whoami = person.run(&["whoami", "--json"], "").json();
    assert_eq!(whoami["name"], "root");
    let profiles = person.run(&["profiles", "--json"], "").json();
    assert_eq!(
        profiles,
        json!({ "profiles": [{ "name": "prod", "host": url, "default": true }] })
    );
    fs::write(&file, "[profiles.x]\ntoken = wko_hidden\n").unwrap();
    let broken = person.run(&["whoami"], "");
    broken.check(78, &["config.toml: line 2"]);
    assert!(!broken.err.contains("wko_hidden"), "{}", broken.err);
}

#[test]
fn a_secret_comes_from_stdin_and_a_new_token_is_all_of_stdout() {
    let (person, host) = (Person::with_greeter(), Host::start());
    at(&host, &person, &["deploy"]).check(0, &[]);
    let operator = token(&host, &person, &["--name", "ann"]);
    let person = person
        .set("WAKELINE_TOKEN", &operator)
        .set("WAKELINE_HOST", &url(&host));
    let set = ["secrets", "set", "greeter", "API_KEY"];
    person.run(&set, "line 1\nline 2\n").check(0, &["Set API_KEY"]);
    person.run(&set, &"x".repeat(70_000)).check(65, &["65536 bytes"]);
    let listed = person.run(&["secrets", "list", "greeter", "--json"], "");
    assert_eq!(listed.json()["secrets"][0]["name"], "API_KEY");
    assert!(!listed.out.contains("line 1"), "{}", listed.out);
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
        "--json",
    ];
    let made = person.run(&create, "").json();
    let (created, expires) = (&made["created_at_ms"], &made["expires_at_ms"]);
    assert_eq!(
        expires.as_u64().unwrap() - created.as_u64().unwrap(),
        2_592_000_000
    );
    let ci = person
        .at(
            &url(&host),
            made["token"].as_str().unwrap(),
            &["whoami", "--json"],
        )
        .json();
    assert_eq!(ci["scopes"], json!(["logs", "deploy"]));
}

#[test]
fn a_log_is_followed_until_the_token_is_revoked() {
    let (person, host) = (Person::with_greeter(), Host::start());
    at(&host, &person, &["deploy"]).check(0, &[]);
    let eyes = token(&host, &person, &["greeter", "--name", "eyes", "--scopes", "logs"]);
    let listed = at(&host, &person, &["tokens", "list", "greeter", "--json"]).json();
    let id = listed["tokens"][0]["id"].as_str().unwrap();
    let mut command = person.command(&binary());
    command
        .args(["logs", "greeter", "--follow", "--host", &url(&host)])
        .env("WAKELINE_TOKEN", &eyes)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut follower = command.spawn().unwrap();
    let said = Output::of(&mut follower);
    let trap = at(&host, &person, &["push", "greeter", "--topic", "worse"]);
    trap.check(69, &["too much of it"]);
    let limit = Duration::from_mins(1);
    let heard = said.wait(limit, |line| line.contains("too much of it").then_some(()));
    assert!(heard.is_some(), "{}", said.text());
    at(&host, &person, &["tokens", "revoke", "greeter", id]).check(0, &[]);
    let status = follower.wait().unwrap();
    assert_eq!(status.code(), Some(77), "{}", said.text());
    for word in ["the token was revoked or has expired", "does not know this token"] {
        let told = said.wait(limit, |line| line.contains(word).then_some(()));
        assert!(told.is_some(), "{word:?} is missing in:\n{}", said.text());
    }
}
