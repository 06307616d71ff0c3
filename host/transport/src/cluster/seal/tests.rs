use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderValue, Method, header};

use super::{ClusterKey, Unsealed, describe, hex, seal_at, unhex, verify};
use crate::forwarded::Provenance;

const NOW: u64 = 1_700_000_000_000;
const TARGET: &str = "/socket.io/?EIO=4&transport=polling&sid=x";

fn key() -> ClusterKey {
    ClusterKey::new([7; 32])
}

fn sealed() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let at = Provenance {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: Some("chat.example.com".to_owned()),
        secure: None,
    };
    describe(&mut headers, &at, "chat");
    headers.insert(
        header::ORIGIN,
        HeaderValue::from_static("http://chat.example.com"),
    );
    seal_at(&key(), &Method::GET, TARGET, &mut headers, NOW);
    headers
}

#[track_caller]
fn check(change: impl FnOnce(&mut HeaderMap), expected: Result<(), Unsealed>) {
    let mut headers = sealed();
    change(&mut headers);
    assert_eq!(verify(&key(), &Method::GET, TARGET, &headers, NOW), expected);
}

#[test]
fn a_seal_holds_for_what_was_sealed() {
    check(|_| {}, Ok(()));
    check(
        |headers| drop(headers.insert("x-other", HeaderValue::from_static("1"))),
        Ok(()),
    );
    let headers = sealed();
    for (key, method, target) in [
        (ClusterKey::new([8; 32]), Method::GET, TARGET),
        (key(), Method::POST, TARGET),
        (key(), Method::GET, "/socket.io/?EIO=4&transport=polling&sid=y"),
    ] {
        assert_eq!(
            verify(&key, &method, target, &headers, NOW),
            Err(Unsealed::Forged),
            "{method} {target}"
        );
    }
}

#[test]
fn what_is_sealed_cannot_be_changed() {
    for name in ["wakeline-client", "wakeline-host", "wakeline-app", "origin"] {
        check(|headers| drop(headers.remove(name)), Err(Unsealed::Forged));
        check(
            |headers| assert!(headers.append(name, HeaderValue::from_static("1"))),
            Err(Unsealed::Forged),
        );
    }
    for name in ["wakeline-oversized", "wakeline-scheme", "wakeline-digest"] {
        check(
            |headers| drop(headers.insert(name, HeaderValue::from_static("https"))),
            Err(Unsealed::Forged),
        );
    }
}

#[test]
fn a_seal_is_good_for_a_minute() {
    let headers = sealed();
    let at = |now| verify(&key(), &Method::GET, TARGET, &headers, now);
    assert_eq!(at(NOW + 60_000), Ok(()));
    assert_eq!(at(NOW - 60_000), Ok(()));
    assert_eq!(at(NOW + 60_001), Err(Unsealed::Stale { skew_ms: 60_001 }));
    assert_eq!(at(0), Err(Unsealed::Stale { skew_ms: NOW }));
}

#[test]
fn nonsense_is_unreadable() {
    for line in [
        "",
        "v1",
        "v2 1 2 3",
        "v1 1 2 zz",
        "v1 1 2 abc",
        "v1 1 2 ab cd",
        "v1  1 2 ab",
    ] {
        check(
            |headers| drop(headers.insert("wakeline-forward", HeaderValue::from_static(line))),
            Err(Unsealed::Unreadable),
        );
    }
    check(
        |headers| drop(headers.insert("wakeline-forward", HeaderValue::from_static("v1 x y ab"))),
        Err(Unsealed::Forged),
    );
    check(
        |headers| drop(headers.remove("wakeline-forward")),
        Err(Unsealed::Unreadable),
    );
}

#[test]
fn hex_there_and_back() {
    assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
    assert_eq!(unhex("00abff"), Some(vec![0, 0xab, 0xff]));
    assert_eq!(unhex("0"), None);
}
