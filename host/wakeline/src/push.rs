//! A backend's word to its clients, by hand.
use serde_json::{Value, json};

use crate::{
    cli,
    failure::{Failure, Kind},
    fields::{cell, field, set, show},
    input,
    remote::{Path, Patience, Remote},
    ui,
};

pub(crate) fn run(arguments: &cli::Push) -> Result<(), Failure> {
    let (what, body) = message(arguments, &mut input::all)?;
    let remote = Remote::find(&arguments.host)?;
    let answer = remote.post(
        &Path::new(&["apps", &arguments.app, what]),
        &body,
        Patience::Wait { ms: 0 },
    )?;
    show(arguments.host.json, &answer, |answer| {
        let twice = if *field(answer, "duplicate") == true {
            ", already before"
        } else {
            ""
        };
        let position = match field(answer, "position") {
            Value::Null => String::new(),
            position => format!(" at {}", cell(position)),
        };
        ui::step("Accepted", &format!("by {}{position}{twice}", arguments.app));
    });
    Ok(())
}

/// Which route, and what is sent there. `stdin` is read where `-` stands.
fn message(
    arguments: &cli::Push,
    stdin: &mut dyn FnMut() -> Result<Vec<u8>, Failure>,
) -> Result<(&'static str, Value), Failure> {
    let words = arguments.words.as_slice();
    let (what, mut body) = if let Some(topic) = &arguments.topic {
        let payload = match words {
            [] => Value::Null,
            [payload] => value(payload, stdin)?,
            [_, more, ..] => {
                return Err(Failure::new(
                    Kind::Usage,
                    format!("with --topic there is one payload; {more:?} is too much"),
                ));
            }
        };
        ("push", json!({ "topic": topic, "payload": payload }))
    } else {
        let [event, args @ ..] = words else {
            return Err(Failure::new(Kind::Usage, "which event?").help(
                "wakeline push APP EVENT [JSON]..., or with --topic TOPIC for the app's push handler",
            ));
        };
        let args = args
            .iter()
            .map(|word| value(word, stdin))
            .collect::<Result<Vec<_>, _>>()?;
        let mut body = json!({ "event": event, "args": args, "namespace": arguments.namespace });
        for (name, rooms) in [("rooms", &arguments.room), ("except", &arguments.except)] {
            if !rooms.is_empty() {
                set(&mut body, name, rooms);
            }
        }
        ("emit", body)
    };
    if let Some(key) = &arguments.idempotency_key {
        set(&mut body, "idempotency_key", key);
    }
    Ok((what, body))
}

fn value(word: &str, stdin: &mut dyn FnMut() -> Result<Vec<u8>, Failure>) -> Result<Value, Failure> {
    let (place, bytes) = match word {
        "-" => ("stdin".to_owned(), stdin()?),
        word => (format!("`{word}`"), word.as_bytes().to_vec()),
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        let failure = Failure::new(Kind::Usage, format!("{place} is not JSON: {error}"));
        let plain = word != "-" && !word.contains(['"', '{', '[', '\'']);
        if plain {
            failure.help(format!(
                "a text stands in quotes, and those in the shell's: '\"{word}\"'"
            ))
        } else {
            failure.help("put it in the shell's quotes: '{\"a\":1}'")
        }
    })
}

#[cfg(test)]
mod tests;
