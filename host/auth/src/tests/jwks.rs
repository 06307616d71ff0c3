use serde_json::{Value, json};

use super::sign::Signer;
use crate::{Algorithm, JWKS_BYTES_MAX, KeySet, KeySetError};

fn set(keys: &[Value]) -> Result<KeySet, KeySetError> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
}

#[test]
fn keys_are_found_by_id_and_algorithm() {
    let rsa = Signer::new(Algorithm::Rs256).jwk("one");
    let ec = Signer::new(Algorithm::Es256).jwk("two");
    let ed = Signer::new(Algorithm::EdDsa).jwk("one");
    let found = set(&[rsa, ec.clone(), ed]).unwrap();
    assert!(found.find(Some("one"), Algorithm::Rs256).is_some());
    assert!(found.find(Some("one"), Algorithm::EdDsa).is_some());
    assert!(found.find(Some("one"), Algorithm::Es256).is_none());
    assert!(found.find(Some("three"), Algorithm::Rs256).is_none());
    assert!(
        found.find(None, Algorithm::Es256).is_some(),
        "only one can be meant"
    );
    let found = set(&[ec, Signer::new(Algorithm::Es256).jwk("three")]).unwrap();
    assert!(found.find(None, Algorithm::Es256).is_none());
}

#[test]
fn keys_that_are_of_no_use_are_passed_over() {
    let good = Signer::new(Algorithm::Rs256).jwk("good");
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let odd = [
        Signer::new(Algorithm::Hs256).jwk("oct"),
        with("use", json!("enc")),
        with("key_ops", json!(["encrypt"])),
        with("alg", json!("RS512")),
        with("n", json!("not base64!")),
        json!({ "kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "coin" }),
        json!({ "kty": "lattice", "kid": "future" }),
        json!("nonsense"),
    ];
    for key in &odd {
        assert!(
            matches!(set(std::slice::from_ref(key)), Err(KeySetError::Empty)),
            "{key}"
        );
    }
    let all = [&odd[..], std::slice::from_ref(&good)].concat();
    assert!(set(&all).unwrap().find(Some("good"), Algorithm::Rs256).is_some());
}

#[test]
fn what_is_no_set_is_refused() {
    for text in ["", "[]", "{}", "<html>", r#"{"keys":7}"#] {
        assert!(
            matches!(KeySet::parse(text.as_bytes()), Err(KeySetError::NoSet(_))),
            "{text}"
        );
    }
    let fat = vec![b' '; JWKS_BYTES_MAX + 1];
    assert!(matches!(KeySet::parse(&fat), Err(KeySetError::TooLong)));
}
