//! What a person at a terminal sees and types.
use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use super::person::Person;
use crate::harness::{Host, binary, root};

struct Session {
    code: i64,
    /// All that came to the terminal, what was typed included if it is shown.
    said: String,
}

/// Runs `wakeline WORDS…` on a terminal of its own; `turns` are what to wait for and what to type then.
fn session(person: &Person, words: &[&str], turns: &Value) -> Session {
    let mut command: Command = person.command(Path::new("python3"));
    command
        .arg(root().join("tests/it/python/terminal.py"))
        .arg(turns.to_string())
        .arg(binary())
        .args(words);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let answer: Value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    Session {
        code: answer["code"].as_i64().unwrap(),
        said: answer["said"].as_str().unwrap().to_owned(),
    }
}

#[test]
fn a_token_is_typed_unseen_and_a_deletion_is_confirmed_by_the_name() {
    let (person, host) = (Person::with_greeter(), Host::start());
    let token = fs::read_to_string(host.token_file()).unwrap();
    let url = format!("http://{}", host.admin);
    let login = ["login", "--profile", "here", "--host", &url];
    let unseen = json!([{ "wait": "Token for", "type": token.trim(), "hidden": true }]);
    let kept = session(&person, &login, &unseen);
    assert_eq!(kept.code, 0, "{}", kept.said);
    assert!(kept.said.contains(" here for http"), "{}", kept.said);
    assert!(!kept.said.contains(token.trim()), "{}", kept.said);

    person.run(&["deploy"], "").check(0, &[]);
    let delete = ["delete", "greeter"];
    let wrong = session(
        &person,
        &delete,
        &json!([{ "wait": "Type its name", "type": "greter" }]),
    );
    assert_eq!(wrong.code, 64, "{}", wrong.said);
    assert!(wrong.said.contains("nothing was removed"), "{}", wrong.said);
    person.run(&["apps", "greeter"], "").check(0, &[]);
    let right = session(
        &person,
        &delete,
        &json!([{ "wait": "Type its name", "type": "greeter" }]),
    );
    assert_eq!(right.code, 0, "{}", right.said);
    person.run(&["apps", "greeter"], "").check(66, &[]);
}

#[test]
fn an_upload_has_a_bar_where_somebody_looks_and_none_elsewhere() {
    let (person, host) = (Person::with_greeter(), Host::start());
    let token = fs::read_to_string(host.token_file()).unwrap();
    let url = format!("http://{}", host.admin);
    let person = person
        .set("WAKELINE_TOKEN", token.trim())
        .set("WAKELINE_HOST", &url);
    let seen = session(&person, &["deploy"], &json!([]));
    assert_eq!(seen.code, 0, "{}", seen.said);
    let size = fs::metadata(person.home().join("x.wasm")).unwrap().len();
    let size = if size < 1_000_000 {
        format!("{} kB", size / 1_000)
    } else {
        format!("{}.{} MB", size / 1_000_000, size / 100_000 % 10)
    };
    // From nothing to all of it, each drawn over the one before, and taken away at the end.
    let empty = format!("[{}] 0 bytes of {size}", " ".repeat(30));
    let full = format!("[{}] {size} of {size}", "=".repeat(30));
    for part in [&*empty, &full, "\r\x1b[K"] {
        assert!(
            seen.said.contains(part),
            "{part:?} is missing in:\n{:?}",
            seen.said
        );
    }
    let unseen = person.run(&["deploy"], "");
    unseen.check(0, &[&format!("Uploading the component ({size})")]);
    assert!(!unseen.err.contains('\r'), "{:?}", unseen.err);
}
