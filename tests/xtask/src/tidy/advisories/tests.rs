//! Libraries that had a fault which no test of ours could show: the lock file has them with its cure. (`cargo xtask
//! deny` asks for all advisories, when there is a network.)
use super::*;
use crate::sh;

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

#[test]
fn the_table_and_the_tests_are_held_together() {
    let table = |text: &str| file(TABLE, text);
    let test = file("host/a.rs", &["fn cve", "_1_a() {}"].concat());
    assert_eq!(check(&[table("| x | `cve_1_a` |"), test]), Vec::<String>::new());
    let test = file("host/a.rs", &["    async fn rustsec", "_1_b() {}"].concat());
    assert_eq!(check(&[table("`cve_1_a` and `other`"), test]).len(), 2);
    assert_eq!(check(&[]).len(), 1);
}

/// Versions of a crate in the lock file.
fn locked(name: &str) -> Vec<Vec<u64>> {
    let text = std::fs::read_to_string(sh::root().join("Cargo.lock")).unwrap();
    let lock: toml::Table = text.parse().unwrap();
    let packages = lock["package"].as_array().unwrap().iter();
    let named = packages.filter(|package| package["name"].as_str() == Some(name));
    let numbers = |version: &str| -> Vec<u64> {
        let plain = version.split(['-', '+']).next().unwrap();
        plain.split('.').map(|number| number.parse().unwrap()).collect()
    };
    named
        .map(|package| numbers(package["version"].as_str().unwrap()))
        .collect()
}

#[track_caller]
fn at_least(name: &str, fixed: [u64; 3]) {
    let found = locked(name);
    assert!(!found.is_empty(), "{name} is used");
    assert!(
        found.iter().all(|version| version[..] >= fixed[..]),
        "{name} {found:?}"
    );
}

#[test]
fn rustsec_2023_0027_async_nats_checks_the_servers_name() {
    at_least("async-nats", [0, 29, 0]);
}

#[test]
fn rustsec_2023_0065_tungstenite_reads_heads_once() {
    at_least("tungstenite", [0, 20, 1]);
}

#[test]
fn rustsec_2026_0007_bytes_reserves_without_overflow() {
    at_least("bytes", [1, 11, 1]);
}

#[test]
fn rustsec_2026_0104_webpki_reads_revocation_lists() {
    at_least("rustls-webpki", [0, 103, 13]);
}

#[test]
fn rustsec_2022_0013_regex_counts_what_it_compiles() {
    at_least("regex", [1, 5, 5]);
}

/// Aarch64's escape, intrinsics between host and guest, and what else a test on this machine cannot show.
#[test]
fn rustsec_2026_0096_2025_0112_wasmtime_is_new_enough() {
    at_least("wasmtime", [48, 0, 0]);
    at_least("wasmtime-wasi", [48, 0, 0]);
    at_least("wasmtime-wasi-http", [48, 0, 0]);
}

#[test]
fn rustsec_2026_0086_0089_0094_0095_winch_is_not_built() {
    for name in ["winch-codegen", "wasmtime-internal-winch", "wasmtime-winch"] {
        assert_eq!(locked(name), Vec::<Vec<u64>>::new(), "{name}");
    }
    let manifest = std::fs::read_to_string(sh::root().join("Cargo.toml")).unwrap();
    let line = manifest
        .lines()
        .find(|line| line.starts_with("wasmtime = "))
        .unwrap();
    assert!(
        line.contains("default-features = false") && !line.contains("winch"),
        "{line}"
    );
}

/// QUIC comes with WebTransport, which we have not.
#[test]
fn rustsec_2026_0037_0185_quinn_is_not_built() {
    assert_eq!(locked("quinn-proto"), Vec::<Vec<u64>>::new());
}
