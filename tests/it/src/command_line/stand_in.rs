//! A host that says what a test wants it to say, for what a real one cannot be made to say: that some of its nodes failed,
//! half a stream, what strangers answer. And it remembers what it was asked, headers and all. Everything else is tested
//! with a real host.
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use parking_lot::Mutex;
use serde_json::{Value, json};

/// Listens until the test ends.
pub(super) struct StandIn {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    /// `GET /v1/apps`
    pub(super) line: String,
    pub(super) authorization: String,
}

/// What the host answers, as it stands on the wire; `None`: as [`plain`].
pub(super) type Script = fn(&Request) -> Option<String>;

impl StandIn {
    pub(super) fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let log = Arc::clone(&log);
                thread::spawn(move || serve(&stream, script, &log));
            }
        });
        Self { address, asked }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn asked(&self) -> Vec<Request> {
        self.asked.lock().clone()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|request| request.line).collect()
    }
}

/// One request on each connection.
fn serve(mut stream: &TcpStream, script: Script, log: &Mutex<Vec<Request>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let header = |name: &str| {
        let line = head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        line.unwrap_or_default()
    };
    if header("expect") == "100-continue" {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let request = Request {
        line: head.split(" HTTP").next()?.to_owned(),
        authorization: header("authorization"),
    };
    log.lock().push(request.clone());
    let answer = script(&request).unwrap_or_else(|| plain(&request));
    stream.write_all(answer.as_bytes()).ok()
}

pub(super) fn answer(status: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

pub(super) fn error(status: &str, code: &str, message: &str) -> String {
    answer(status, &json!({ "error": { "code": code, "message": message } }))
}

/// The API of a host with the app `greeter` on two nodes, where all goes well.
fn plain(request: &Request) -> String {
    match request.line.as_str() {
        "GET /v1/whoami" => answer(
            "200 OK",
            &json!({ "kind": "app", "app": "greeter", "scopes": ["read", "deploy"], "name": "ci", "id": "t1" }),
        ),
        "PUT /v1/apps/greeter" => answer("201 Created", &json!({ "name": "greeter", "created": true })),
        "DELETE /v1/apps/greeter/assets" => answer("200 OK", &json!({})),
        "POST /v1/apps/greeter/versions" => answer(
            "201 Created",
            &json!({ "version": 7, "digest": "d7", "size_bytes": 8, "existing": false }),
        ),
        _ => error("404 Not Found", "not_found", "there is nothing here"),
    }
}
