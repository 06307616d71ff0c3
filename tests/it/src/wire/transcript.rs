//! Plays a transcript: see transcripts/README.
use std::{collections::HashMap, net::TcpStream, time::Duration};

use tungstenite::{Error, Message, WebSocket, client::IntoClientRequest as _};

use super::{
    http,
    pattern::{self, Names},
};

enum Connection {
    /// A request whose answer is to come, and its method.
    Http(TcpStream, String),
    WebSocket(Box<WebSocket<TcpStream>>),
}

/// One section's connections and what its names stand for.
struct Stage<'a> {
    address: &'a str,
    connections: HashMap<String, Connection>,
    names: Names,
    title: String,
}

/// Plays all sections; gives the number of lines that were compared.
pub(super) fn play(transcript: &str, address: &str) -> usize {
    let mut stage = Stage::new(address, "");
    let mut compared = 0;
    for line in transcript
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
    {
        if let Some(title) = line.strip_prefix("## ") {
            stage = Stage::new(address, title);
        } else if !line.starts_with('#') {
            compared += usize::from(stage.step(line));
        }
    }
    assert!(compared > 0, "an empty transcript");
    compared
}

impl<'a> Stage<'a> {
    fn new(address: &'a str, title: &str) -> Self {
        Self {
            address,
            connections: HashMap::new(),
            names: Names::new(),
            title: title.to_owned(),
        }
    }

    /// Does one line; whether it compared something.
    fn step(&mut self, line: &str) -> bool {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match verb {
            "->" => self.answer(name, rest, line),
            "WS" => self.open(name, rest, line),
            ">" => {
                let text = pattern::fill(rest, &self.names);
                self.websocket(name).send(Message::text(text)).unwrap();
            }
            ">x" => self.websocket(name).send(Message::binary(bytes(rest))).unwrap(),
            "<" | "<x" => self.frame(name, verb, rest, line),
            "drop" => drop(self.connections.remove(name)),
            method => self.request(name, method, rest),
        }
        matches!(verb, "->" | "<" | "<x")
    }

    fn request(&mut self, name: &str, method: &str, rest: &str) {
        let rest = pattern::fill(rest, &self.names);
        let (head, body) = rest
            .split_once(" << ")
            .map_or((rest.as_str(), None), |(head, body)| (head, Some(body)));
        let (path, headers) = headers(head);
        let stream = http::send(self.address, method, path, &headers, body);
        self.connections
            .insert(name.to_owned(), Connection::Http(stream, method.to_owned()));
    }

    fn answer(&mut self, name: &str, expected: &str, line: &str) {
        let Some(Connection::Http(stream, method)) = self.connections.get(name) else {
            panic!("no request: {line}")
        };
        let answer = http::read(stream, method);
        let (head, body) = match expected.split_once(" <<") {
            Some((head, body)) => (head, Some(body.trim_start())),
            None => (expected, None),
        };
        let (status, headers) = headers(head);
        let mut fits = status == answer.status.to_string();
        for (name, value) in headers {
            fits &= match (answer.header(&name), value.as_str()) {
                (found, "-") => found.is_none(),
                (found, value) => found.is_some_and(|found| pattern::matches(value, found, &mut self.names)),
            };
        }
        fits &= body.is_none_or(|body| pattern::matches(body, &answer.body, &mut self.names));
        assert!(fits, "{}: {line}\n     was {}", self.title, answer.show());
    }

    fn open(&mut self, name: &str, rest: &str, line: &str) {
        let rest = pattern::fill(rest, &self.names);
        let (path, headers) = headers(&rest);
        let mut request = format!("ws://{}{path}", self.address)
            .into_client_request()
            .unwrap();
        for (name, value) in headers {
            let name = tungstenite::http::HeaderName::try_from(name).unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let opened = tungstenite::client(request, stream);
        let (socket, _) = opened.unwrap_or_else(|error| panic!("{}: {line}: {error}", self.title));
        self.connections
            .insert(name.to_owned(), Connection::WebSocket(Box::new(socket)));
    }

    fn frame(&mut self, name: &str, verb: &str, expected: &str, line: &str) {
        let read = self.websocket(name).read();
        let fits = match (&read, verb, expected.strip_prefix("close ")) {
            (Ok(Message::Close(frame)), "<", Some(code)) => {
                // A close frame without a code reads as 1005.
                let found = frame.as_ref().map_or(1005, |frame| u16::from(frame.code));
                code == "$_" || code == found.to_string()
            }
            (Err(Error::ConnectionClosed | Error::AlreadyClosed), "<", Some(code)) => code == "$_",
            (Ok(Message::Text(text)), "<", None) => {
                pattern::matches(expected, text.as_str(), &mut self.names)
            }
            (Ok(Message::Binary(data)), "<x", None) => data[..] == bytes(expected),
            _ => false,
        };
        assert!(fits, "{}: {line}\n     was {read:?}", self.title);
    }

    fn websocket(&mut self, name: &str) -> &mut WebSocket<TcpStream> {
        match self.connections.get_mut(name) {
            Some(Connection::WebSocket(socket)) => socket,
            _ => panic!("{}: {name} is no WebSocket", self.title),
        }
    }
}

/// Splits `HEAD | name: value | name: value`.
fn headers(text: &str) -> (&str, Vec<(String, String)>) {
    let mut parts = text.split(" | ");
    let head = parts.next().unwrap_or_default();
    let headers = parts.filter_map(|part| part.split_once(':'));
    (
        head,
        headers
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
    )
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}
