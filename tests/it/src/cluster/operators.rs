//! What operators and backends do without a client: follow a log, push to the app.
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use ::cluster::{Cluster, Node, Options, until};
use serde_json::{Value, json};

use super::{light::Light, storm::alone};
use crate::harness::{AppDir, binary, target};

const PATH: &str = "/probe/socket.io/";
const PATIENCE: Duration = Duration::from_mins(1);
const PARTIAL: &str = "event: partial\n";
const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn two_nodes(name: &str, app: &AppDir) -> Cluster {
    let options = Options {
        binary: binary(),
        apps: vec![app.path()],
        nats: 1,
        nodes: 2,
        at_once: false,
        arguments: ["--log-format", "json"].map(str::to_owned).to_vec(),
        directory: target().join("cluster").join(name),
    };
    let cluster = Cluster::start(&options, |_, server| server.to_owned());
    cluster.unwrap_or_else(|error| panic!("{error:#}"))
}

/// One of the two, with its operators' token.
struct Desk<'a> {
    node: &'a Node,
    token: String,
}

impl<'a> Desk<'a> {
    fn of(cluster: &'a Cluster, node: usize) -> Self {
        let node = &cluster.nodes[node];
        let file = node
            .process
            .log
            .parent()
            .unwrap()
            .join(&node.name)
            .join("admin-token");
        Self {
            node,
            token: std::fs::read_to_string(&file).unwrap().trim().to_owned(),
        }
    }

    /// An HTTP/1.0 request, so that nothing is chunked; the connection, once the head has come, and the status.
    fn ask(&self, head: &str, body: &str) -> (u16, BufReader<TcpStream>) {
        let (address, token, length) = (&self.node.admin, &self.token, body.len());
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
        write!(
            stream,
            "{line} HTTP/1.0\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut answer = BufReader::new(stream);
        let mut lines = (&mut answer).lines().map(Result::unwrap);
        let status = lines.next().unwrap();
        let _ = lines.find(String::is_empty);
        (status.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }

    fn push(&self, body: &Value, headers: &str) -> (u16, Value) {
        let head = format!("POST /v1/apps/probe/push\n{headers}");
        let (status, mut answer) = self.ask(&head, &body.to_string());
        let mut body = String::new();
        answer.read_to_string(&mut body).unwrap();
        (status, serde_json::from_str(&body).unwrap())
    }

    fn follow(&self, query: &str) -> Follow {
        let follow = format!("GET /v1/apps/probe/logs?follow=1&{query}");
        loop {
            let (status, lines) = self.ask(&follow, "");
            assert_eq!(status, 200);
            let mut follow = Follow(lines);
            // A comment follows the lines of before: from here on nothing is missed, but of nodes that took too long to
            // answer, which are named.
            let mut is_whole = true;
            loop {
                match follow.line() {
                    line if line.starts_with(':') => break,
                    line => is_whole &= line != PARTIAL,
                }
            }
            if is_whole {
                return follow;
            }
        }
    }

    /// The last lines of all nodes, each of which answers in time.
    fn tail(&self, count: usize) -> Vec<String> {
        loop {
            let (status, answer) = self.ask(&format!("GET /v1/apps/probe/logs?tail={count}"), "");
            assert_eq!(status, 200);
            let lines: Vec<_> = answer.lines().map(Result::unwrap).collect();
            if !lines.iter().any(|line| line == PARTIAL.trim_end()) {
                return lines
                    .into_iter()
                    .filter(|line| line.starts_with("data: "))
                    .collect();
            }
        }
    }
}

/// Lines of a log, as they are written.
struct Follow(BufReader<TcpStream>);

impl Follow {
    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream has ended");
        line
    }

    fn next(&mut self) -> Value {
        loop {
            if let Some(data) = self.line().strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }
}

#[test]
fn one_sockets_log_is_followed_from_any_node() {
    let _alone = alone();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(one_sockets_log_is_followed_from_any_node_here());
}

async fn one_sockets_log_is_followed_from_any_node_here() {
    let app = AppDir::probe("");
    let cluster = two_nodes("logs", &app);
    let open = |node: usize| Light::open(&cluster.nodes[node].address, PATH, None);
    let (mut there, mut other) = (open(0).await.unwrap(), open(0).await.unwrap());
    there.call("[\"log\",\"before\"]").await.unwrap();

    let desk = Desk::of(&cluster, 1);
    let (id, node) = (there.memory.sid.clone(), &cluster.nodes[0].name);
    let mut follow = desk.follow(&format!("socket={id}&tail=0"));
    other.call("[\"log\",\"not this one\"]").await.unwrap();
    there.call("[\"log\",\"after\"]").await.unwrap();
    let line = follow.next();
    assert_eq!(line["message"], format!("{id} says after"));
    assert_eq!((&line["node"], &line["socket"]), (&json!(node), &json!(id)));
    assert_eq!(
        (&line["origin"], &line["level"]),
        (&json!("guest"), &json!("info"))
    );

    // Without `follow`: what was before, from all nodes, and the end.
    let lines = desk.tail(2);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[1].contains("says after"), "{lines:?}");

    let (status, _) = desk.ask("GET /v1/apps/nobody/logs", "");
    assert_eq!(status, 404);
    let (status, _) = desk.ask("GET /v1/apps/probe/logs?level=loud", "");
    assert_eq!(status, 400);
}

#[test]
fn a_push_runs_once_whichever_node_is_asked_and_says_how_it_ended() {
    let _alone = alone();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(a_push_runs_once_whichever_node_is_asked_and_says_how_it_ended_here());
}

async fn a_push_runs_once_whichever_node_is_asked_and_says_how_it_ended_here() {
    let app = AppDir::probe("");
    let cluster = two_nodes("push", &app);
    let (one, two) = (Desk::of(&cluster, 0), Desk::of(&cluster, 1));
    let mut client = Light::open(&cluster.nodes[1].address, PATH, None).await.unwrap();

    let news = json!({ "topic": "news", "payload": 41, "idempotency_key": "order 7" });
    assert_eq!(one.push(&news, ""), (200, json!({})));
    assert_eq!(two.push(&news, ""), (200, json!({ "duplicate": true })));
    client.hear().await.unwrap();
    assert_eq!(client.heard, [41]);
    let bytes = json!({ "topic": "bytes", "payload_base64": "AP8=" });
    assert_eq!(two.push(&bytes, ""), (200, json!({})));
    client.heard.clear();
    client.hear().await.unwrap();
    assert_eq!(client.heard, [2]);
    assert_eq!(client.call("[\"pushes\"]").await.unwrap(), "[2]");

    let code = |answer: &Value| answer["error"]["code"].as_str().unwrap().to_owned();
    let bad = json!({ "topic": "bad", "idempotency_key": "k" });
    // What failed may be tried again with the same key.
    for desk in [&one, &two] {
        let (status, answer) = desk.push(&bad, "");
        assert_eq!((status, code(&answer)), (422, "handler_error".to_owned()));
        assert_eq!(answer["error"]["message"], "bad news are not told");
    }
    let mut follow = two.follow("level=error&tail=0");
    let (status, answer) = one.push(&json!({ "topic": "worse" }), &format!("traceparent: {GIVEN}\r\n"));
    assert_eq!((status, code(&answer)), (502, "handler_trapped".to_owned()));
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("too much of it"), "{message}");
    // The trace of whoever pushed is told with what went wrong, in the app's log and in the process's own.
    let line = follow.next();
    assert_eq!((&line["trace"], &line["origin"]), (&json!(TRACE), &json!("host")));
    // That is written by a thread of its own, when it has the time.
    until(PATIENCE, "a line of the process's log", || {
        let said = std::fs::read_to_string(&one.node.process.log)?;
        let mut said = said
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line.trim()).ok());
        let is_it = |line: Value| {
            let fields = &line["fields"];
            line["target"] == "app" && fields["app"] == "probe" && fields["trace"] == TRACE
        };
        Ok(said.any(is_it).then_some(()))
    })
    .unwrap();
    // Nothing of those that failed has happened.
    assert_eq!(client.call("[\"pushes\"]").await.unwrap(), "[2]");
    let (status, answer) = one.push(&json!({ "topic": "" }), "");
    assert_eq!((status, code(&answer)), (400, "invalid".to_owned()));
}
