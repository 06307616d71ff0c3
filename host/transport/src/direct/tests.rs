use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::sync::Semaphore;

use super::*;
use crate::{TrustedProxies, respond::answer};

const LINES: &str = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";

fn config() -> TransportConfig {
    TransportConfig {
        default_app: None,
        trusted_proxies: TrustedProxies::default(),
        tls: None,
        connections: Arc::new(Semaphore::new(1)),
        cluster: None,
        cluster_connections: Arc::new(Semaphore::new(1)),
        header_read_timeout: Duration::MAX,
        keep_alive_timeout: Duration::MAX,
        body_read_timeout: Duration::MAX,
        write_timeout: Duration::MAX,
        close_timeout: Duration::MAX,
        headers_max: 8,
        head_bytes_max: 8192,
    }
}

fn parsed(text: impl Into<Vec<u8>>) -> Option<(Request<()>, usize)> {
    parse(&Bytes::from(text.into()), &config())
}

#[test]
fn a_whole_get_is_taken() {
    let head = format!("GET /a/?b=c HTTP/1.1\r\n{LINES}X-A: 1\r\nX-A: 2\r\n\r\n");
    let (request, head_bytes) = parsed(format!("{head}more")).unwrap();
    assert_eq!(head_bytes, head.len());
    assert_eq!(request.uri().path(), "/a/");
    assert_eq!(request.uri().query(), Some("b=c"));
    assert_eq!(request.headers()["host"], "x");
    let lines: Vec<_> = request.headers().get_all("x-a").iter().collect();
    assert_eq!(lines, ["1", "2"]);
}

#[test]
fn everything_else_is_left_to_hyper() {
    let many = "X-A: 1\r\n".repeat(6);
    let more = "X-A: 1\r\n".repeat(HEADERS_MAX);
    let long = "x".repeat(8192);
    for text in [
        String::new(),
        "GET".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\n{LINES}"),
        format!("GET / HTTP/1.1\r\n{LINES}\r"),
        format!("GET / HTTP/1.0\r\n{LINES}\r\n"),
        format!("POST / HTTP/1.1\r\n{LINES}\r\n"),
        format!("GET * HTTP/1.1\r\n{LINES}\r\n"),
        format!("GET http://x/ HTTP/1.1\r\n{LINES}\r\n"),
        format!("GET /\u{7f} HTTP/1.1\r\n{LINES}\r\n"),
        format!("GET / HTTP/1.1\r\n{LINES}Content-Length: 0\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{LINES}Transfer-Encoding: chunked\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{LINES}Expect: 100-continue\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{LINES}X A: b\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{LINES}X-A : b\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{LINES}X-A: \0\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{LINES} folded\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{LINES}{many}\r\n"),
        format!("GET / HTTP/1.1\r\n{LINES}{more}\r\n"),
        format!("GET / HTTP/1.1\r\n{LINES}X-A: {long}\r\n\r\n"),
    ] {
        assert!(parsed(text.clone()).is_none(), "{text}");
    }
}

#[test]
fn a_head_is_written_as_it_is_read() {
    let mut switching = answer(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = switching.headers_mut();
    headers.append("x-a", HeaderValue::from_static("1"));
    headers.append("x-a", HeaderValue::from_static("2"));
    assert_eq!(
        String::from_utf8(written(&switching)).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\nx-a: 1\r\nx-a: 2\r\n\r\n"
    );
}
