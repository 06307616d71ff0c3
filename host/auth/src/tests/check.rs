use std::time::Duration;

use serde_json::{Value, json};

use super::sign::{RSA_PUBLIC, SECRET, Signer};
use crate::{Algorithm, Key, Policy, PolicyError, Rejection, Trust, Verified, check};

const ALL: [Algorithm; 4] = [
    Algorithm::Hs256,
    Algorithm::Rs256,
    Algorithm::Es256,
    Algorithm::EdDsa,
];
/// Some time in 2026, in seconds.
const NOW: u64 = 1_795_000_000;

fn policy(algorithm: Algorithm) -> Policy {
    Policy {
        app: "chat".into(),
        algorithms: vec![algorithm],
        issuer: Some("https://id.example".to_owned()),
        audience: Some("chat".to_owned()),
        leeway: Duration::from_secs(5),
        trust: Trust::Secret("TOKENS".to_owned()),
    }
}

fn claims() -> Value {
    json!({ "iss": "https://id.example", "aud": "chat", "sub": "ann", "exp": NOW + 60, "role": "admin" })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn checked(signer: &Signer, token: &str) -> Result<Verified, Rejection> {
    let algorithm = Algorithm::parse(signer.name()).unwrap();
    check(token, &signer.key(), &policy(algorithm), NOW * 1000)
}

#[test]
fn a_token_of_each_algorithm_is_taken() {
    for algorithm in ALL {
        let signer = Signer::new(algorithm);
        let verified = checked(&signer, &signer.token(&claims())).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&verified.claims).unwrap(),
            claims(),
            "{algorithm:?}"
        );
        assert_eq!(&*verified.subject, r#"["https://id.example","ann"]"#);
        assert_eq!(verified.expires_at_ms, (NOW + 60) * 1000);
        assert_eq!(verified.expires_in, Duration::from_secs(65));
    }
}

#[test]
fn another_key_or_a_changed_token_is_refused() {
    for algorithm in ALL {
        let signer = Signer::new(algorithm);
        let token = signer.token(&claims());
        let other = Signer::new(algorithm).token(&with("sub", json!("eve")));
        let (head, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let (other_head, other_rest) = other.split_once('.').unwrap();
        let (body, _) = other_rest.split_once('.').unwrap();
        assert_eq!(head, other_head);
        let forged = format!("{head}.{body}.{signature}");
        assert_eq!(
            checked(&signer, &forged),
            Err(Rejection::Signature),
            "{algorithm:?}"
        );
        let bare = format!("{head}.{body}.");
        assert_eq!(
            checked(&signer, &bare),
            Err(Rejection::Signature),
            "{algorithm:?}"
        );
    }
    let token = Signer::new(Algorithm::EdDsa).token(&claims());
    assert_eq!(
        checked(&Signer::new(Algorithm::EdDsa), &token),
        Err(Rejection::Signature)
    );
}

#[test]
fn no_algorithm_is_none() {
    for none in ["none", "None", "NONE", "nOnE"] {
        for algorithm in ALL {
            let signer = Signer::new(algorithm);
            let token = signer.token_with(&json!({ "alg": none }), &claims().to_string());
            let (unsigned, _) = token.rsplit_once('.').unwrap();
            assert_eq!(checked(&signer, &token), Err(Rejection::Algorithm));
            assert_eq!(
                checked(&signer, &format!("{unsigned}.")),
                Err(Rejection::Algorithm)
            );
        }
    }
}

/// The classic: a token signed by HMAC, with the public key for its secret.
#[test]
fn a_public_key_is_no_secret() {
    let forger = Signer::Hs256(RSA_PUBLIC.as_bytes().to_vec());
    let token = forger.token(&claims());
    let honest = Signer::new(Algorithm::Rs256);
    let key = honest.key();
    for algorithms in [vec![Algorithm::Rs256], vec![Algorithm::Hs256, Algorithm::Rs256]] {
        let policy = Policy {
            algorithms,
            ..policy(Algorithm::Rs256)
        };
        assert_eq!(
            check(&token, &key, &policy, NOW * 1000),
            Err(Rejection::Algorithm)
        );
    }
    let body: String = RSA_PUBLIC.lines().filter(|line| !line.starts_with('-')).collect();
    for secret in [RSA_PUBLIC, &body] {
        assert!(Key::secret(secret.as_bytes()).is_err());
    }
    assert!(Key::secret(b"short").is_err());
}

#[test]
fn the_algorithm_is_the_keys_never_the_tokens() {
    for key in ALL {
        for signs in ALL.into_iter().filter(|signs| *signs != key) {
            let token = Signer::new(signs).token(&claims());
            assert_eq!(
                checked(&Signer::new(key), &token),
                Err(Rejection::Algorithm),
                "{signs:?} for {key:?}"
            );
        }
    }
    let signer = Signer::new(Algorithm::Rs256);
    for other in ["RS384", "RS512", "PS256"] {
        let token = signer.token_with(&json!({ "alg": other }), &claims().to_string());
        assert_eq!(checked(&signer, &token), Err(Rejection::Algorithm));
    }
}

#[test]
fn claims_are_judged() {
    let signer = Signer::new(Algorithm::Hs256);
    let cases = [
        (with("exp", json!(NOW - 4)), Ok(())),
        (with("exp", json!(NOW - 5)), Err(Rejection::Expired)),
        (with("exp", json!(NOW as f64 + 0.5)), Ok(())),
        (with("exp", json!(1e300)), Ok(())),
        (with("exp", json!(null)), Err(Rejection::Endless)),
        (with("exp", json!("soon")), Err(Rejection::Malformed)),
        (with("exp", json!(-1)), Err(Rejection::Malformed)),
        (with("nbf", json!(NOW + 5)), Ok(())),
        (with("nbf", json!(NOW + 6)), Err(Rejection::TooEarly)),
        (with("nbf", json!("later")), Err(Rejection::Malformed)),
        (with("iss", json!("https://evil.example")), Err(Rejection::Issuer)),
        (with("iss", json!(null)), Err(Rejection::Issuer)),
        (
            with("iss", json!(["https://id.example"])),
            Err(Rejection::Malformed),
        ),
        (with("aud", json!("mail")), Err(Rejection::Audience)),
        (with("aud", json!(["mail", "chat"])), Ok(())),
        (with("aud", json!([])), Err(Rejection::Audience)),
        (with("aud", json!(null)), Err(Rejection::Audience)),
        (with("sub", json!(null)), Ok(())),
        (with("sub", json!(7)), Err(Rejection::Malformed)),
        (with("sub", json!("x".repeat(513))), Err(Rejection::Malformed)),
        (json!([NOW + 60]), Err(Rejection::Malformed)),
        (json!("text"), Err(Rejection::Malformed)),
    ];
    for (claims, expected) in cases {
        let found = checked(&signer, &signer.token(&claims)).map(|_| ());
        assert_eq!(found, expected, "{claims}");
    }
    // The last of two would be what the handler reads.
    let twice = format!(
        r#"{{"iss":"https://id.example","aud":"chat","exp":{0},"exp":{0}}}"#,
        NOW + 60
    );
    let token = signer.token_with(&json!({ "alg": "HS256" }), &twice);
    assert_eq!(checked(&signer, &token), Err(Rejection::Malformed));
}

#[test]
fn a_token_for_somebody_is_not_for_those_who_name_no_audience() {
    let signer = Signer::new(Algorithm::Hs256);
    let policy = Policy {
        audience: None,
        issuer: None,
        ..policy(Algorithm::Hs256)
    };
    let check = |claims: Value| check(&signer.token(&claims), &signer.key(), &policy, NOW * 1000).map(|_| ());
    assert_eq!(check(claims()), Err(Rejection::Audience));
    assert_eq!(check(json!({ "exp": NOW + 1 })), Ok(()));
}

#[test]
fn what_is_no_token_is_refused() {
    let signer = Signer::new(Algorithm::Hs256);
    let long = signer.token(&with("fat", json!("x".repeat(20_000))));
    let critical = signer.token_with(
        &json!({ "alg": "HS256", "crit": ["b64"], "b64": false }),
        &claims().to_string(),
    );
    for token in [
        "", ".", "..", "a.b.c", "....", "e30.e30.", "\u{0}", &long, &critical,
    ] {
        assert_eq!(checked(&signer, token), Err(Rejection::Malformed), "{token:.20}");
    }
}

#[test]
fn algorithms_and_keys_must_go_together() {
    let jwks = Trust::Jwks {
        url: "https://id.example/keys".to_owned(),
        allow_private: false,
    };
    let public = Trust::Key(Signer::new(Algorithm::Es256).key());
    let secret = Trust::Secret("S".to_owned());
    let cases = [
        (&secret, vec![Algorithm::Hs256], Ok(())),
        (
            &secret,
            vec![Algorithm::Hs256, Algorithm::Rs256],
            Err(PolicyError::SecretAlgorithm),
        ),
        (&public, vec![Algorithm::Es256], Ok(())),
        (&public, vec![Algorithm::Rs256], Err(PolicyError::KeyAlgorithm)),
        (&public, vec![Algorithm::Hs256], Err(PolicyError::PublicAlgorithm)),
        (&jwks, vec![Algorithm::Rs256, Algorithm::EdDsa], Ok(())),
        (
            &jwks,
            vec![Algorithm::Rs256, Algorithm::Hs256],
            Err(PolicyError::PublicAlgorithm),
        ),
        (&jwks, vec![], Err(PolicyError::NoAlgorithm)),
    ];
    for (trust, algorithms, expected) in cases {
        let policy = Policy {
            trust: trust.clone(),
            algorithms,
            ..policy(Algorithm::Hs256)
        };
        assert_eq!(policy.check(), expected, "{policy:?}");
    }
    assert!(!format!("{:?}", Key::secret(SECRET)).contains("secret of the app"));
}
