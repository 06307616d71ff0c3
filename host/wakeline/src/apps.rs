//! Looking at a host's apps and nodes.
use serde_json::{Value, json};

use crate::{
    cli,
    failure::{Failure, Kind},
    fields::{cell, field, rows, show, time},
    input,
    remote::{Path, Remote},
    ui,
};

pub(crate) fn apps(arguments: &cli::Apps) -> Result<(), Failure> {
    let remote = Remote::find(&arguments.host)?;
    if let Some(app) = &arguments.app {
        let answer = remote.get(&Path::new(&["apps", app]))?;
        show(arguments.host.json, &answer, one);
        return Ok(());
    }
    let mut apps = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut path = Path::new(&["apps"]).query("limit", "1000");
        if let Some(after) = &after {
            path = path.query("after", after);
        }
        let mut answer = remote.get(&path)?;
        apps.extend(list(&mut answer, "apps"));
        match field(&answer, "next").as_str() {
            // A host that goes round would never end.
            Some(next) if after.as_deref() != Some(next) => after = Some(next.to_owned()),
            _ => break,
        }
    }
    show(arguments.host.json, &json!({ "apps": apps }), all);
    Ok(())
}

pub(crate) fn versions(arguments: &cli::Versions) -> Result<(), Failure> {
    let remote = Remote::find(&arguments.host)?;
    let answer = remote.get(&Path::new(&["apps", &arguments.app, "versions"]))?;
    show(arguments.host.json, &answer, |answer| {
        let row = |version: &Value| {
            let mut state = match (
                *field(version, "live") == true,
                field(version, "percent").as_u64(),
            ) {
                (_, Some(percent)) if percent < 100 => format!("live for {percent} %"),
                (true, _) => "live".to_owned(),
                (false, _) => String::new(),
            };
            if let Some(failed) = field(version, "failed").as_str() {
                state = format!("failed: {}", failed.lines().next().unwrap_or_default());
            }
            vec![
                cell(field(version, "version")),
                short(field(version, "digest")),
                cell(field(version, "size_bytes")),
                time(field(version, "created_at_ms")),
                cell(field(version, "by")),
                state,
            ]
        };
        ui::table(
            &["VERSION", "COMPONENT", "BYTES", "MADE", "BY", "STATE"],
            &rows(answer, "versions", row),
            "the app has no version yet: `wakeline deploy` makes one",
        );
    });
    Ok(())
}

pub(crate) fn delete(arguments: &cli::Delete) -> Result<(), Failure> {
    let remote = Remote::find(&arguments.host)?;
    let app = &arguments.app;
    let path = Path::new(&["apps", app]);
    if !arguments.yes {
        // A name that is wrong is said before anything is asked.
        let state = remote.get(&path)?;
        ui::warn(
            &format!(
                "this removes {app} from {} for good, with its versions, secrets, tokens and stored data; {} sockets are connected",
                remote.name(),
                cell(field(&state, "sockets")),
            ),
            None,
        );
        if input::line("Type its name to go on: ", "--yes does not ask")? != *app {
            return Err(Failure::new(
                Kind::Usage,
                "that is not its name: nothing was removed",
            ));
        }
    }
    let answer = remote.delete(&path)?;
    ui::step("Removed", app);
    if arguments.host.json {
        ui::json(&answer);
    }
    Ok(())
}

pub(crate) fn nodes(arguments: &cli::Nodes) -> Result<(), Failure> {
    let remote = Remote::find(&arguments.host)?;
    let answer = remote.get(&Path::new(&["nodes"]))?;
    show(arguments.host.json, &answer, |answer| {
        let row = |node: &Value| {
            let state = if *field(node, "draining") == true {
                "draining"
            } else {
                "live"
            };
            vec![
                cell(field(node, "name")),
                cell(field(node, "address")),
                state.to_owned(),
            ]
        };
        ui::table(
            &["NODE", "ADDRESS", "STATE"],
            &rows(answer, "nodes", row),
            "no node is known",
        );
    });
    Ok(())
}

pub(crate) fn audit(arguments: &cli::Audit) -> Result<(), Failure> {
    let remote = Remote::find(&arguments.host)?;
    let mut path = match &arguments.app {
        Some(app) => Path::new(&["apps", app, "audit"]),
        None => Path::new(&["audit"]),
    };
    if let Some(limit) = arguments.limit {
        path = path.query("limit", &limit.to_string());
    }
    let answer = remote.get(&path)?;
    show(arguments.host.json, &answer, |answer| {
        let row = |entry: &Value| {
            vec![
                time(field(entry, "at_ms")),
                cell(field(entry, "by")),
                cell(field(entry, "action")),
                cell(field(entry, "app")),
                cell(field(entry, "detail")),
            ]
        };
        ui::table(
            &["AT", "BY", "ACTION", "APP", "DETAIL"],
            &rows(answer, "entries", row),
            "nothing was changed yet",
        );
    });
    Ok(())
}

fn all(answer: &Value) {
    let row = |app: &Value| {
        vec![
            cell(field(app, "name")),
            live(field(app, "live")),
            time(field(app, "created_at_ms")),
            cell(field(app, "url")),
        ]
    };
    ui::table(
        &["APP", "LIVE", "MADE", "URL"],
        &rows(answer, "apps", row),
        "there are no apps yet: `wakeline deploy` makes one",
    );
}

fn one(answer: &Value) {
    let text = |name: &str| cell(field(answer, name));
    ui::say(&format!("{}  {}", text("name"), text("url")));
    ui::say(&format!(
        "live: {}; {} versions",
        live(field(answer, "live")),
        text("versions")
    ));
    ui::say(&format!(
        "{} sockets, {} sessions, {} away, {} timers, {}",
        text("sockets"),
        text("sessions"),
        text("away"),
        text("timers"),
        text("tier")
    ));
    let row = |node: &Value| {
        vec![
            cell(field(node, "node")),
            cell(field(node, "version")),
            short(field(node, "digest")),
            cell(field(node, "state")),
            cell(field(node, "reason"))
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        ]
    };
    ui::table(
        &["NODE", "VERSION", "COMPONENT", "STATE", "REASON"],
        &rows(answer, "nodes", row),
        "no node has it",
    );
    let usage = field(answer, "usage").as_object().into_iter().flatten();
    let limits = field(answer, "limits");
    let rows: Vec<_> = usage
        .map(|(name, used)| vec![name.clone(), cell(used), cell(field(limits, name))])
        .collect();
    if !rows.is_empty() {
        ui::table(&["LIMIT", "USED", "OF"], &rows, "");
    }
    let hits = field(answer, "limit_hits").as_object().into_iter().flatten();
    let rows: Vec<_> = hits
        .map(|(name, count)| vec![name.clone(), cell(count)])
        .collect();
    if !rows.is_empty() {
        ui::table(&["HELD BACK AT", "TIMES"], &rows, "");
    }
}

fn live(value: &Value) -> String {
    if value.is_null() {
        return "none".to_owned();
    }
    let stable = format!("version {}", cell(field(value, "version")));
    match field(value, "canary") {
        Value::Null => stable,
        canary => format!(
            "{stable}, version {} for {} %",
            cell(field(canary, "version")),
            cell(field(canary, "percent"))
        ),
    }
}

/// Enough of a digest to tell it from others.
fn short(digest: &Value) -> String {
    let text = cell(digest);
    let bare = text.strip_prefix("sha256:").unwrap_or(&text);
    bare.chars().take(12).collect()
}

fn list(answer: &mut Value, name: &str) -> Vec<Value> {
    match answer.get_mut(name).map(Value::take) {
        Some(Value::Array(values)) => values,
        _ => Vec::new(),
    }
}
