use std::{net::Ipv4Addr, sync::Arc};

use router::{Call, Trace};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use super::harness::{App, World, event_call, replies};
use crate::{Limits, reach::is_public};

#[tokio::test]
async fn clocks_and_randomness_work_and_nothing_else_is_there() {
    let app = App::hostile(Limits::default()).await;
    let expected = "clock=true random=true files=false tcp=false socket=false environment=0 stdin=0";
    assert_eq!(app.say("capabilities", &[]).await, expected);
}

#[tokio::test]
async fn config_is_the_apps() {
    let config = Arc::new([("GREETING".to_owned(), "hello".to_owned())].into());
    let app = App::new(
        "hostile",
        World {
            config,
            ..World::default()
        },
        Limits::default(),
    )
    .await;
    assert_eq!(
        app.say("config", &["GREETING"]).await,
        "Some('hello') [('GREETING', 'hello')]"
    );
    assert_eq!(app.say("config", &["PATH"]).await, "None [('GREETING', 'hello')]");
}

#[tokio::test]
async fn sockets_are_found_through_the_host() {
    let app = App::hostile(Limits::default()).await;
    assert_eq!(app.say("who", &["next"]).await, "1 Some('next') ['node-2']");
}

/// A server of one request. Where it is, and the head of what it was asked.
async fn server() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let serve = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
            .await
            .unwrap();
        String::from_utf8(head).unwrap()
    });
    (place, serve)
}

#[tokio::test]
async fn http_carries_the_trace_of_its_event() {
    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for traced in [true, false] {
        let (place, serve) = server().await;
        let world = World {
            http: vec![place.clone()],
            private: true,
            ..World::default()
        };
        let app = App::new("hostile", world, Limits::default()).await;
        let mut call = Call {
            trace: traced.then(|| Trace::parse(GIVEN).unwrap()),
            ..event_call("http", &[&place, "/"], None)
        };
        let effects = app.worker.call(&mut call).await.unwrap();
        assert_eq!(replies(&effects), "200 5 bytes");
        let head = serve.await.unwrap().to_lowercase();
        let line = format!("traceparent: {GIVEN}\r\n");
        assert_eq!(head.contains(&line), traced, "{head}");
        assert_eq!(head.contains("traceparent"), traced, "{head}");
    }
}

#[tokio::test]
async fn http_goes_where_it_may() {
    let (place, serve) = server().await;
    let allowed = |private| World {
        http: vec![place.clone()],
        private,
        ..World::default()
    };

    let app = App::new("hostile", World::default(), Limits::default()).await;
    assert_eq!(
        app.say("http", &[&place, "/"]).await,
        "ErrorCode::HttpRequestDenied"
    );
    assert!(
        app.world.log().contains("not in the app's [http] allow list"),
        "{}",
        app.world.log()
    );

    let app = App::new("hostile", allowed(false), Limits::default()).await;
    assert_eq!(
        app.say("http", &[&place, "/"]).await,
        "ErrorCode::DestinationIpProhibited"
    );
    assert_eq!(
        app.say("http", &["user@127.0.0.1:1", "/"]).await,
        "ErrorCode::HttpRequestUriInvalid"
    );

    let app = App::new("hostile", allowed(true), Limits::default()).await;
    assert_eq!(app.say("http", &[&place, "/path"]).await, "200 5 bytes");
    let head = serve.await.unwrap();
    assert!(head.starts_with("GET /path HTTP/1.1\r\n"), "{head}");
    assert!(
        head.to_lowercase().contains(&format!("host: {place}\r\n")),
        "{head}"
    );

    let app = App::new(
        "hostile",
        allowed(true),
        Limits {
            http_requests_per_call: 0,
            ..Limits::default()
        },
    )
    .await;
    assert_eq!(
        app.say("http", &[&place, "/"]).await,
        "ErrorCode::ConnectionLimitReached"
    );
}

#[test]
fn private_addresses_are_told_from_public_ones() {
    let private = [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "100.64.0.1",
        "198.18.0.1",
        "192.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
        "::127.0.0.1",
    ];
    for ip in private {
        assert!(!is_public(ip.parse().unwrap()), "{ip}");
    }
    for ip in [
        "1.1.1.1",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
    ] {
        assert!(is_public(ip.parse().unwrap()), "{ip}");
    }
}
