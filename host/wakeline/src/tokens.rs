use serde_json::{Value, json};

use crate::{
    cli::{self, TokenCommand},
    failure::{Failure, Kind},
    fields::{cell, field, rows, set, show, time},
    remote::{Path, Patience, Remote},
    ui,
};

pub(crate) fn run(arguments: &cli::Tokens) -> Result<(), Failure> {
    let remote = Remote::find(&arguments.host)?;
    let json = arguments.host.json;
    match &arguments.command {
        TokenCommand::List { app } => {
            let answer = remote.get(&path(app.as_deref(), &[]))?;
            show(json, &answer, list);
        }
        TokenCommand::Create {
            app,
            name,
            scopes,
            expires,
        } => {
            let mut body = json!({ "name": name });
            if !scopes.is_empty() {
                set(&mut body, "scopes", scopes);
            }
            if let Some(text) = expires {
                set(&mut body, "expires_in_s", seconds(text)?);
            }
            let answer = remote.post(&path(app.as_deref(), &[]), &body, Patience::Short)?;
            ui::step(
                "Created",
                &format!("{name} ({}); it is not shown again:", cell(field(&answer, "id"))),
            );
            show(json, &answer, |answer| ui::say(&cell(field(answer, "token"))));
        }
        TokenCommand::Revoke { app, id } => {
            let answer = remote.delete(&path(app.as_deref(), &[id]))?;
            ui::step("Revoked", id);
            show(json, &answer, |_| {});
        }
    }
    Ok(())
}

/// An app's tokens, or the operators'.
fn path(app: Option<&str>, rest: &[&str]) -> Path {
    let of_app: Vec<&str> = app.map_or(vec![], |app| vec!["apps", app]);
    Path::new(&[of_app.as_slice(), &["tokens"], rest].concat())
}

fn list(answer: &Value) {
    let row = |token: &Value| {
        vec![
            cell(field(token, "id")),
            cell(field(token, "name")),
            cell(field(token, "scopes")),
            time(field(token, "created_at_ms")),
            time(field(token, "expires_at_ms")),
        ]
    };
    ui::table(
        &["ID", "NAME", "SCOPES", "MADE", "ENDS"],
        &rows(answer, "tokens", row),
        "there are no tokens: `wakeline tokens create` makes one",
    );
}

/// `90s`, `15m`, `12h`, `30d`.
fn seconds(text: &str) -> Result<u64, Failure> {
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let factor = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        _ => None,
    };
    let number: Option<u64> = number.parse().ok().filter(|number| *number > 0);
    let seconds = factor
        .zip(number)
        .and_then(|(factor, number)| number.checked_mul(factor));
    seconds.ok_or_else(|| {
        Failure::new(
            Kind::Usage,
            format!("--expires: expected a time such as 90s, 15m, 12h or 30d, found {text:?}"),
        )
    })
}

#[cfg(test)]
mod tests;
