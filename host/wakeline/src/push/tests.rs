use clap::Parser;

use super::*;
use crate::cli::{Cli, Command};

/// What is sent for a command line, or what is said of it.
fn sent(words: &[&str]) -> Result<(&'static str, Value), String> {
    let cli =
        Cli::try_parse_from([&["wakeline", "push"], words].concat()).map_err(|error| error.to_string())?;
    let Command::Push(arguments) = cli.command else {
        unreachable!("push is push");
    };
    message(&arguments, &mut || Ok(b"{\"from\": \"stdin\"}\n".to_vec()))
        .map_err(|failure| format!("{} {}", failure.message, failure.help.unwrap_or_default()))
}

#[test]
fn an_event_has_as_many_arguments_as_are_given() {
    let check = |words: &[&str], what, body: Value| assert_eq!(sent(words), Ok((what, body)), "{words:?}");
    check(
        &["chat", "tick"],
        "emit",
        json!({ "event": "tick", "args": [], "namespace": "/" }),
    );
    check(
        &[
            "chat",
            "say",
            "\"hi\"",
            "[1]",
            "-",
            "--room",
            "a",
            "--room",
            "b",
            "--idempotency-key",
            "k",
        ],
        "emit",
        json!({
            "event": "say", "args": ["hi", [1], { "from": "stdin" }], "namespace": "/", "rooms": ["a", "b"],
            "idempotency_key": "k",
        }),
    );
    check(
        &["chat", "--topic", "paid", "{\"id\":7}"],
        "push",
        json!({ "topic": "paid", "payload": { "id": 7 } }),
    );
    check(
        &["chat", "--topic", "paid"],
        "push",
        json!({ "topic": "paid", "payload": null }),
    );
}

#[test]
fn what_is_not_json_is_shown_as_it_should_be() {
    let check = |words: &[&str], expected: &str| {
        let said = sent(words).unwrap_err();
        assert!(said.contains(expected), "{said}");
    };
    check(&["chat", "say", "hello"], "'\"hello\"'");
    check(&["chat", "say", "{a: 1}"], "is not JSON: key must be a string");
    check(&["chat"], "which event?");
    check(&["chat", "--topic", "t", "1", "2"], "\"2\" is too much");
    check(&["chat", "--topic", "t", "--room", "r"], "cannot be used with");
}
