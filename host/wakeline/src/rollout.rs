//! Making a version live, and telling how far that has come.
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    cli,
    failure::{Failure, Kind},
    fields::field,
    remote::{Path, Patience, Remote},
    ui,
};

pub(crate) fn live(arguments: &cli::Live) -> Result<(), Failure> {
    let remote = Remote::find(&arguments.host)?;
    let body = json!({ "version": arguments.version, "percent": arguments.share.percent.unwrap_or(100) });
    let path = Path::new(&["apps", &arguments.app, "live"]);
    let answer = start(&remote, &path, body, &arguments.share.wait)?;
    finish(&arguments.app, answer, arguments.host.json)
}

pub(crate) fn rollback(arguments: &cli::Rollback) -> Result<(), Failure> {
    let remote = Remote::find(&arguments.host)?;
    let body = arguments
        .version
        .map_or(json!({}), |version| json!({ "version": version }));
    let path = Path::new(&["apps", &arguments.app, "rollback"]);
    let answer = start(&remote, &path, body, &arguments.wait)?;
    finish(&arguments.app, answer, arguments.host.json)
}

/// What the API waits where nothing is said.
const WAIT_MS: u64 = 10_000;

/// `body` and how long to wait.
pub(crate) fn start(
    remote: &Remote,
    path: &Path,
    mut body: Value,
    wait: &cli::Wait,
) -> Result<Value, Failure> {
    let ms = wait.wait_ms.unwrap_or(WAIT_MS);
    if let Value::Object(body) = &mut body {
        body.insert("wait_ms".to_owned(), json!(ms));
    }
    remote.post(path, &body, Patience::Wait { ms })
}

/// Prints the address and the version, once every node has it; else who has not, and why.
pub(crate) fn finish(app: &str, answer: Value, json: bool) -> Result<(), Failure> {
    let version = field(&answer, "version").as_u64().unwrap_or_default();
    let nodes: Vec<Node<'_>> = field(&answer, "nodes")
        .as_array()
        .map(|nodes| nodes.iter().map(Node::new).collect())
        .unwrap_or_default();
    let missing: Vec<&Node<'_>> = nodes.iter().filter(|node| node.state != "live").collect();
    if !missing.is_empty() {
        return Err(partial(app, version, &nodes, &missing).answer(answer));
    }
    ui::step("Live", &on(nodes.len()));
    if json {
        ui::json(&answer);
        return Ok(());
    }
    let url = field(&answer, "url").as_str().unwrap_or(app);
    let share = match field(&answer, "percent").as_u64() {
        None | Some(100) => String::new(),
        Some(percent) => format!(" for {percent} % of sockets"),
    };
    ui::say(&format!("{url} version {version}{share}"));
    Ok(())
}

struct Node<'a> {
    name: &'a str,
    state: &'a str,
    reason: &'a str,
}

impl<'a> Node<'a> {
    fn new(value: &'a Value) -> Self {
        let text = |name| field(value, name).as_str().unwrap_or_default();
        Self {
            name: text("node"),
            state: text("state"),
            reason: text("reason"),
        }
    }
}

fn partial(app: &str, version: u64, nodes: &[Node<'_>], missing: &[&Node<'_>]) -> Failure {
    let failed = missing.iter().any(|node| node.state == "failed");
    let mut message = format!(
        "version {version} of {app} is not live on {} of {} nodes",
        missing.len(),
        nodes.len()
    );
    for node in missing {
        // A text takes all that is written to it.
        let _ = write!(message, "\n  {}: {}", node.name, node.state);
        if !node.reason.is_empty() {
            let _ = write!(message, ": {}", node.reason.replace('\n', "\n    "));
        }
    }
    if failed {
        return Failure::new(Kind::App, message).help(format!(
            "`wakeline rollback {app}` goes back to what was live before; `wakeline logs {app}` has more of it"
        ));
    }
    Failure::new(Kind::Later, message).help(format!(
        "nodes that are behind catch up by themselves; `wakeline apps {app}` shows how far they are"
    ))
}

fn on(nodes: usize) -> String {
    match nodes {
        0 | 1 => "on the host".to_owned(),
        nodes => format!("on {nodes} nodes"),
    }
}

#[cfg(test)]
mod tests;
