//! A trace goes through the host: from a client's handshake to what its event's handler asks of others.
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    thread,
};

use tempfile::TempDir;

use crate::harness::{AppDir, Script, Wakeline};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// Answers one request; its head.
fn serve_once(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "it ended: {head}");
    }
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
    head
}

#[test]
fn a_guests_request_carries_the_trace_of_its_event() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let http = format!("[http]\nallow = [\"{place}\"]\nallow_private = true\n");
    let (app, data) = (AppDir::hostile("caller", &http), TempDir::new().unwrap());
    let wakeline = Wakeline::serve(&[&app], data.path());
    let asked = thread::spawn(move || serve_once(&listener));
    Script::node("traced.mjs")
        .variable("WAKELINE_URL", &wakeline.url())
        .variable("WAKELINE_PATH", "/caller/socket.io/")
        .variable("PLACE", &place)
        .variable("TRACEPARENT", &format!("00-{TRACE}-{SPAN}-01"))
        .run();
    let head = asked.join().unwrap().to_lowercase();
    let line = head.lines().find(|line| line.starts_with("traceparent: "));
    let parts: Vec<_> = line.unwrap_or_else(|| panic!("{head}")).split('-').collect();
    let [_, trace, span, "01"] = parts[..] else {
        panic!("{parts:?}")
    };
    assert_eq!(trace, TRACE);
    assert!(
        span.len() == 16 && span != SPAN,
        "the event has a span of its own: {span}"
    );
}
