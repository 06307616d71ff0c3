//! Commands that speak to what is no host, or to one that is not well: with a stand-in.
#![expect(clippy::unnecessary_wraps, reason = "a script may say nothing of a request")]
use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::json;
use tempfile::TempDir;

use super::{
    person::{Outcome, Person},
    stand_in::{Request, StandIn, answer, error},
};
use crate::harness::{Output, binary};

/// With a host and a token named.
fn at(host: &StandIn, person: &Person, words: &[&str]) -> Outcome {
    person.at(&host.url(), "wka_secret", words)
}

#[test]
fn nodes_that_are_behind_or_failed_are_named() {
    fn fail(request: &Request) -> Option<String> {
        let nodes = json!([
            { "node": "a", "state": "live" },
            { "node": "b", "state": "failed", "reason": "no room for its code" },
        ]);
        let whole = json!({ "version": 7, "percent": 100, "url": "http://x/", "nodes": nodes });
        let behind = json!({ "version": 6, "percent": 100, "url": "http://x/", "nodes": [{ "node": "a", "state": "behind" }] });
        match request.line.as_str() {
            "POST /v1/apps/greeter/live" => Some(answer("200 OK", &whole)),
            "POST /v1/apps/greeter/rollback" => Some(answer("200 OK", &behind)),
            _ => None,
        }
    }
    let (person, host) = (Person::new(), StandIn::start(fail));
    let manifest = "name = \"greeter\"\ncomponent = \"x.wasm\"\n[build]\ncommand = \"true\"\n";
    person.write("wakeline.toml", manifest);
    person.write("x.wasm", "\0asm\x0d\0\x01\0");
    let outcome = at(&host, &person, &["deploy"]);
    outcome.check(
        65,
        &[
            "1 of 2 nodes",
            "b: failed: no room for its code",
            "wakeline rollback greeter",
        ],
    );
    assert_eq!(outcome.out, "");
    let outcome = at(&host, &person, &["rollback", "greeter", "--json"]);
    outcome.check(75, &["a: behind"]);
    let answer = outcome.json();
    assert_eq!(
        (&answer["version"], &answer["error"]["code"]),
        (&json!(6), &json!("later"))
    );
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
    let person = Person::new();
    let host = StandIn::start(page);
    at(&host, &person, &["apps"]).check(76, &["is not a wakeline's admin address"]);
    let host = StandIn::start(moved);
    at(&host, &person, &["apps"]).check(64, &["https://x.test/"]);
    assert_eq!(host.lines().len(), 1, "a token follows nobody");
}

#[test]
fn a_host_that_fails_is_told_from_one_that_refuses() {
    fn broken(request: &Request) -> Option<String> {
        Some(match request.line.as_str() {
            line if line.starts_with("GET /v1/apps") => error(
                "500 Internal Server Error",
                "damaged",
                "the record chat is damaged",
            ),
            "GET /v1/nodes" => {
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\n{\"nodes\":".to_owned()
            }
            _ => "HTTP/1.1 200 OK\r\ncontent-length: 900\r\nconnection: close\r\n\r\n{".to_owned(),
        })
    }
    let (person, host) = (Person::new(), StandIn::start(broken));
    at(&host, &person, &["apps"]).check(69, &["the record chat is damaged"]);
    at(&host, &person, &["nodes"]).check(76, &["its answer is not JSON"]);
    at(&host, &person, &["whoami"]).check(69, &[]);
}

#[test]
fn a_profiles_token_is_its_hosts() {
    let (person, host) = (Person::new(), StandIn::start(|_| None));
    let other = StandIn::start(|_| None);
    let login = ["login", "--profile", "prod", "--host", &host.url()];
    person.run(&login, "wka_secret\n").check(0, &["Kept prod"]);
    person.run(&["whoami"], "").check(0, &[]);
    let whoami = ["whoami", "--host", &other.url()];
    person.run(&whoami, "").check(0, &[]);
    let shown = |host: &StandIn| host.asked().last().unwrap().authorization.clone();
    assert_eq!((&*shown(&host), &*shown(&other)), ("Bearer wka_secret", ""));
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
    let (home, host) = (TempDir::new().unwrap(), StandIn::start(log));
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
    let (out, err) = (Output::default(), Output::default());
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
