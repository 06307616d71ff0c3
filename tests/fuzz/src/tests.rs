//! The targets' bodies on pseudo-random input, so that they are run where no fuzzer is.
use crate::{
    engineio_operations, engineio_payload, platform_assets, platform_component, platform_manifest,
    platform_requests, socketio_decoder,
};

#[test]
fn payloads() {
    engineio_payload(b"4a\x1ebAQI=\x1e4\x1e2\x1e9\x1e4x");
    for seed in 0..20_000 {
        engineio_payload(&bytes(seed, b"0123456bAQI=\x1e\x1e\xc3\xa9"));
    }
}

#[test]
fn decoder() {
    socketio_decoder(
        b"2[\"a\",1]\x1e51-/a,7[\"b\",{\"_placeholder\":true,\"num\":0}]\x1ebxyz\x1e1/a\x1e0/a\x1e31[]",
    );
    for seed in 0..20_000 {
        socketio_decoder(&bytes(seed, b"0123456/,-[]{}\"\"\"a1\x1eb"));
    }
}

#[test]
fn operations() {
    for seed in 0..20_000 {
        let any: Vec<u8> = (0..=255).collect();
        engineio_operations(&bytes(seed, &any));
    }
}

#[test]
fn manifests() {
    platform_manifest(b"name = \"chat\"\n[limits]\nmemory_bytes = 1\n");
    for seed in 0..20_000 {
        platform_manifest(&bytes(seed, b"name=[]\"'\n.01-_{}limtsconfig\xc3\xa9\t#"));
    }
}

#[test]
fn bundles() {
    let any: Vec<u8> = (0..=255).collect();
    for seed in 0..20_000 {
        platform_assets(&bytes(seed, &any));
        platform_assets(&bytes(seed, b"\0\x01\x02\x03\x04\x05\x06./a"));
    }
}

#[test]
fn requests() {
    for body in [
        &br#"0{"version":1,"percent":10}"#[..],
        br#"1{"version":null,"wait_ms":5}"#,
        br#"2{"name":"a","scopes":["read"],"expires_in_s":9}"#,
        br#"3{"event":"a","args":[1],"rooms":["b"]}"#,
        br#"4{"topic":"a","payload":{"b":[1]},"idempotency_key":"k"}"#,
        br#"4{"topic":"a","payload_base64":"AAE="}"#,
        b"5after=a%20b&limit=3",
    ] {
        platform_requests(body);
    }
    for seed in 0..20_000 {
        platform_requests(&bytes(seed, b"01234{}[]\":,versionprcatms-%&=+ul"));
    }
}

#[test]
fn components() {
    platform_component(b"\0asm\x0d\0\x01\0");
    for seed in 0..20_000 {
        platform_component(&bytes(seed, b"\0asm\x01\x0d"));
    }
}

/// Up to 63 letters of the alphabet (xorshift: the same ones each time).
fn bytes(seed: u64, alphabet: &[u8]) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let length = next() % 64;
    (0..length)
        .map(|_| alphabet[(next() >> 16) % alphabet.len()])
        .collect()
}
