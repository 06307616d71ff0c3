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
}

/// Plays all sections, those after one that failed too; gives the number of lines that were compared.
pub(super) fn play(transcript: &str, address: &str) -> usize {
    let mut compared = 0;
    let mut failures = Vec::new();
    for section in transcript.split("## ").skip(1) {
        let (title, lines) = section.split_once('\n').unwrap();
        let mut stage = Stage::new(address);
        let lines = lines
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            match stage.step(line) {
                Ok(true) => compared += 1,
                Ok(false) => {}
                Err(found) => {
                    failures.push(format!("## {title}\n{line}\n     was {found}"));
                    break;
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} sections differ:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    compared
}

/// What there was instead of what was expected.
type Difference = String;

impl<'a> Stage<'a> {
    fn new(address: &'a str) -> Self {
        Self {
            address,
            connections: HashMap::new(),
            names: Names::new(),
        }
    }

    /// Does one line; whether it compared something.
    fn step(&mut self, line: &str) -> Result<bool, Difference> {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match verb {
            "->" => self.answer(name, rest)?,
            "WS" => self.open(name, rest)?,
            ">" => {
                let text = pattern::fill(rest, &self.names);
                self.websocket(name)?
                    .send(Message::text(text))
                    .map_err(|error| error.to_string())?;
            }
            ">x" => {
                let data = Message::binary(bytes(rest));
                self.websocket(name)?
                    .send(data)
                    .map_err(|error| error.to_string())?;
            }
            "<" | "<x" => self.frame(name, verb, rest)?,
            "settle" => std::thread::sleep(Duration::from_secs(1)),
            "drop" => drop(self.connections.remove(name)),
            method => self.request(name, method, rest),
        }
        Ok(matches!(verb, "->" | "<" | "<x"))
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

    fn answer(&mut self, name: &str, expected: &str) -> Result<(), Difference> {
        let Some(Connection::Http(stream, method)) = self.connections.get(name) else {
            return Err("no request of that name".to_owned());
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
        if fits { Ok(()) } else { Err(answer.show()) }
    }

    fn open(&mut self, name: &str, rest: &str) -> Result<(), Difference> {
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
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let opened = tungstenite::client(request, stream);
        let (socket, _) = opened.map_err(|error| error.to_string())?;
        self.connections
            .insert(name.to_owned(), Connection::WebSocket(Box::new(socket)));
        Ok(())
    }

    fn frame(&mut self, name: &str, verb: &str, expected: &str) -> Result<(), Difference> {
        let read = self.websocket(name)?.read();
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
        if fits { Ok(()) } else { Err(format!("{read:?}")) }
    }

    fn websocket(&mut self, name: &str) -> Result<&mut WebSocket<TcpStream>, Difference> {
        match self.connections.get_mut(name) {
            Some(Connection::WebSocket(socket)) => Ok(socket),
            _ => Err(format!("{name} is no WebSocket")),
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
