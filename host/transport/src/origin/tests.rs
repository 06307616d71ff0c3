use std::net::{IpAddr, Ipv4Addr};

use http::HeaderName;

use super::*;

fn origins(entries: &[&str]) -> Origins {
    Origins::parse(&entries.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

fn judge(allow: &[&str], origin: &str, host: &str, secure: Option<bool>) -> Verdict {
    let mut headers = HeaderMap::new();
    headers.append(
        HeaderName::from_static("origin"),
        HeaderValue::from_str(origin).unwrap(),
    );
    let at = Provenance {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: Some(host.to_owned()),
        secure,
    };
    origins(allow).judge(&headers, &at)
}

fn echo(origin: &str) -> Verdict {
    Verdict::Allowed(HeaderValue::from_str(origin).unwrap())
}

#[test]
fn an_apps_own_origin_is_by_host_and_port() {
    for (origin, host) in [
        ("http://chat.example.com", "chat.example.com"),
        ("https://chat.example.com", "Chat.Example.com"),
        ("http://localhost:3000", "localhost:3000"),
        ("http://[::1]:3000", "[::1]:3000"),
        ("https://chat.example.com", "chat.example.com:443"),
    ] {
        assert_eq!(judge(&[], origin, host, None), Verdict::Own, "{origin} {host}");
    }
    for (origin, host) in [
        ("http://evil.example", "chat.example.com"),
        ("http://localhost:3001", "localhost:3000"),
        ("http://localhost", "localhost:3000"),
        ("http://chat.example.com.evil.example", "chat.example.com"),
        ("null", "null"),
        ("file://", ""),
        ("ftp://a", "a"),
    ] {
        assert_eq!(
            judge(&[], origin, host, None),
            Verdict::Foreign,
            "{origin} {host}"
        );
    }
}

#[test]
fn a_known_scheme_counts() {
    assert_eq!(judge(&[], "http://a.b", "a.b", Some(true)), Verdict::Foreign);
    assert_eq!(judge(&[], "https://a.b", "a.b", Some(false)), Verdict::Foreign);
    assert_eq!(judge(&[], "https://a.b", "a.b", Some(true)), Verdict::Own);
}

#[test]
fn listed_origins_are_echoed() {
    let allow = ["https://app.example.com", "https://*.example.org", "null"];
    assert_eq!(
        judge(&allow, "https://app.example.com", "x", None),
        echo("https://app.example.com")
    );
    assert_eq!(
        judge(&allow, "https://a.b.example.org", "x", None),
        echo("https://a.b.example.org")
    );
    assert_eq!(judge(&allow, "null", "x", None), echo("null"));
    for origin in [
        "http://app.example.com",
        "https://example.org",
        "https://.example.org",
        "https://evil.example/.example.org",
        "https://evil.example:1.example.org",
        "https://aexample.org",
        "https://app.example.com:8443",
    ] {
        assert_eq!(judge(&allow, origin, "x", None), Verdict::Foreign, "{origin}");
    }
}

#[test]
fn a_star_allows_all_without_credentials() {
    assert_eq!(judge(&["*"], "https://any.example", "x", None), echo("*"));
    assert_eq!(judge(&["*"], "http://x", "x", None), Verdict::Own);
}

#[test]
fn no_origin_is_no_browser() {
    let at = Provenance {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: None,
        secure: None,
    };
    assert_eq!(origins(&[]).judge(&HeaderMap::new(), &at), Verdict::Own);
}

#[test]
fn odd_origins_are_malformed() {
    let at = Provenance {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: None,
        secure: None,
    };
    let mut headers = HeaderMap::new();
    headers.append(header::ORIGIN, HeaderValue::from_bytes(b"http://\xff").unwrap());
    assert_eq!(origins(&["*"]).judge(&headers, &at), Verdict::Malformed);
    headers.insert(header::ORIGIN, HeaderValue::from_static("http://a"));
    headers.append(header::ORIGIN, HeaderValue::from_static("http://b"));
    assert_eq!(origins(&["*"]).judge(&headers, &at), Verdict::Malformed);
}

#[test]
fn entries_that_no_browser_sends_are_refused() {
    for entry in [
        "",
        "example.com",
        "https://",
        "https://a/b",
        "https://*",
        "https://a.*.com",
        "https://*a.com",
        "https://*.*.com",
        "^https://.*$",
    ] {
        assert!(Origins::parse(&[entry.to_owned()]).is_err(), "{entry}");
    }
}
