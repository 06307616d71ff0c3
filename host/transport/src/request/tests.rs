use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::*;

fn settings() -> Settings {
    Settings {
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(20),
        upgrade_timeout: Duration::from_secs(10),
        max_payload_bytes: 1_000_000,
        polling: true,
        websocket: true,
        queue_bytes_max: 1_000_000,
    }
}

fn ask(raw: &str, method: &Method, upgrade: bool) -> Result<Intent, Refusal> {
    let query = Query::new(raw);
    let asked = query.transport(&settings())?;
    query.intent(asked, method, upgrade)
}

#[test]
fn checks_in_the_reference_servers_order() {
    let get = &Method::GET;
    for (raw, method, upgrade, expected) in [
        ("EIO=4&transport=polling", get, false, Ok(Intent::Open)),
        ("EIO=4&transport=websocket", get, true, Ok(Intent::Open)),
        ("t=x&transport=polling&EIO=4&a", get, false, Ok(Intent::Open)),
        ("transport=polling", get, false, Err(Refusal::UnsupportedVersion)),
        (
            "EIO=3&transport=polling",
            get,
            false,
            Err(Refusal::UnsupportedVersion),
        ),
        (
            "EIO=abc&transport=polling",
            get,
            false,
            Err(Refusal::UnsupportedVersion),
        ),
        (
            "EIO=3&transport=websocket",
            get,
            true,
            Err(Refusal::UnsupportedVersion),
        ),
        ("EIO=4&transport=abc", get, false, Err(Refusal::TransportUnknown)),
        ("EIO=4&transport=abc", get, true, Err(Refusal::TransportUnknown)),
        ("EIO=4", get, false, Err(Refusal::TransportUnknown)),
        ("", get, false, Err(Refusal::TransportUnknown)),
        (
            "EIO=4&transport=polling&sid=nope",
            get,
            false,
            Ok(Intent::Session("nope".to_owned())),
        ),
        (
            "%74ransport=p%6flling&s%69d=n%6fpe&sid=other",
            &Method::POST,
            false,
            Ok(Intent::Session("nope".to_owned())),
        ),
        (
            "EIO=4&transport=polling",
            &Method::POST,
            false,
            Err(Refusal::BadHandshakeMethod),
        ),
        (
            "EIO=4&transport=polling",
            &Method::PUT,
            false,
            Err(Refusal::BadHandshakeMethod),
        ),
        (
            "EIO=4&transport=polling",
            &Method::OPTIONS,
            false,
            Err(Refusal::BadHandshakeMethod),
        ),
        ("EIO=4&transport=websocket", get, false, Err(Refusal::BadRequest)),
        ("EIO=4&transport=polling", get, true, Err(Refusal::BadRequest)),
    ] {
        assert_eq!(ask(raw, method, upgrade), expected, "{method} {raw} {upgrade}");
    }
}

#[test]
fn a_transport_that_is_off_is_unknown() {
    let query = Query::new("transport=polling");
    assert_eq!(
        query.transport(&Settings {
            polling: false,
            ..settings()
        }),
        Err(Refusal::TransportUnknown)
    );
    let query = Query::new("transport=websocket");
    assert_eq!(
        query.transport(&Settings {
            websocket: false,
            ..settings()
        }),
        Err(Refusal::TransportUnknown)
    );
}

#[test]
fn queries_of_all_kinds_parse() {
    let check = |raw: &str, expected: &[(&str, &str)]| {
        let expected: Vec<_> = expected
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        assert_eq!(*Query::new(raw).decoded(), expected, "{raw}");
    };
    check("", &[]);
    check("&&=&a&a=&=b", &[("", ""), ("a", ""), ("a", ""), ("", "b")]);
    check("a=1&a=2", &[("a", "1"), ("a", "2")]);
    check("x=a%20b+c%2B&y=%E2%82%AC", &[("x", "a b c+"), ("y", "€")]);
    check(
        "x=%&y=%4&z=%zz&w=%ff",
        &[("x", "%"), ("y", "%4"), ("z", "%zz"), ("w", "\u{fffd}")],
    );
    check("a=b=c", &[("a", "b=c")]);
    assert_eq!(Query::new(&"a=b&".repeat(10_000)).decoded().len(), PAIRS_MAX);
}

#[test]
fn a_handshake_holds_bounded_readable_headers() {
    let at = Provenance {
        address: "1.2.3.4".parse().unwrap(),
        host: None,
        secure: None,
    };
    let mut headers = HeaderMap::new();
    headers.append(HeaderName::from_static("x-a"), HeaderValue::from_static("1"));
    headers.append(HeaderName::from_static("x-a"), HeaderValue::from_static("2"));
    headers.append(
        HeaderName::from_static("x-b"),
        HeaderValue::from_bytes(b"\xff").unwrap(),
    );
    let seen = handshake(Query::new("a=b"), &headers, &at);
    assert_eq!(seen.remote_address, "1.2.3.4");
    assert_eq!(*seen.query, [("a".to_owned(), "b".to_owned())]);
    assert_eq!(
        *seen.headers,
        [
            ("x-a".to_owned(), "1".to_owned()),
            ("x-a".to_owned(), "2".to_owned())
        ]
    );

    // What is said to this server alone is not the app's; what a client asks of the app is.
    for (name, told) in [
        ("connection", false),
        ("upgrade", false),
        ("sec-websocket-key", false),
        ("sec-websocket-version", false),
        ("sec-websocket-extensions", false),
        ("sec-websocket-protocol", true),
        ("cookie", true),
    ] {
        let name = HeaderName::from_static(name);
        let one = HeaderMap::from_iter([(name, HeaderValue::from_static("v"))]);
        assert_eq!(
            handshake(Query::new(""), &one, &at).headers.len() == 1,
            told,
            "{one:?}"
        );
    }

    for _ in 0..1000 {
        headers.append(HeaderName::from_static("x-c"), HeaderValue::from_static("3"));
    }
    assert_eq!(
        handshake(Query::new(""), &headers, &at).headers.len(),
        HEADERS_MAX
    );
}
