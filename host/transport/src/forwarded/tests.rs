use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

fn proxies(entries: &[&str]) -> TrustedProxies {
    TrustedProxies::parse(&entries.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

#[track_caller]
fn check(
    trusted: &[&str],
    peer: &str,
    headers: &[(&str, &str)],
    expected: (&str, Option<&str>, Option<bool>),
) {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    let seen = proxies(trusted).provenance(peer.parse().unwrap(), false, &map, None);
    let address = seen.address.to_string();
    assert_eq!((address.as_str(), seen.host.as_deref(), seen.secure), expected);
}

#[test]
fn strangers_are_not_believed() {
    let headers = [
        ("host", "a.b"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "c.d"),
    ];
    check(&[], "9.9.9.9", &headers, ("9.9.9.9", Some("a.b"), None));
    check(
        &["10.0.0.0/8"],
        "11.0.0.1",
        &headers,
        ("11.0.0.1", Some("a.b"), None),
    );
    check(
        &["10.0.0.0/8"],
        "10.255.0.1",
        &headers,
        ("1.2.3.4", Some("c.d"), Some(true)),
    );
}

#[test]
fn the_nearest_stranger_is_the_client() {
    let chain = [
        ("x-forwarded-for", "6.6.6.6, 5.5.5.5, 10.0.0.7"),
        ("x-forwarded-for", "10.0.0.8"),
    ];
    check(&["10.0.0.0/8"], "10.0.0.1", &chain, ("5.5.5.5", None, None));
    // A whole chain of proxies: the farthest of them.
    check(
        &["10.0.0.0/8"],
        "10.0.0.1",
        &[("x-forwarded-for", "10.0.0.2, 10.0.0.3")],
        ("10.0.0.2", None, None),
    );
    // Rubbish ends the walk.
    check(
        &["10.0.0.0/8"],
        "10.0.0.1",
        &[("x-forwarded-for", "1.1.1.1, unknown")],
        ("10.0.0.1", None, None),
    );
}

#[test]
fn addresses_come_in_many_clothes() {
    check(
        &["::1"],
        "::1",
        &[("x-forwarded-for", "[2001:db8::1]:443")],
        ("2001:db8::1", None, None),
    );
    check(
        &["::1/128"],
        "::1",
        &[("x-forwarded-for", "1.2.3.4:80")],
        ("1.2.3.4", None, None),
    );
    check(
        &["127.0.0.1"],
        "::ffff:127.0.0.1",
        &[("x-forwarded-for", "::ffff:1.2.3.4")],
        ("1.2.3.4", None, None),
    );
    check(
        &["0.0.0.0/0"],
        "8.8.8.8",
        &[("x-forwarded-proto", "http, https")],
        ("8.8.8.8", None, Some(false)),
    );
}

#[test]
fn nonsense_is_refused() {
    for entry in [
        "",
        "10.0.0.0/33",
        "::/129",
        "example.com",
        "10.0.0.0/x",
        "10.0.0/8",
    ] {
        assert!(TrustedProxies::parse(&[entry.to_owned()]).is_err(), "{entry}");
    }
}
