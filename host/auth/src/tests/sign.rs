//! An issuer.
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair},
};
use serde_json::{Value, json};

use crate::{Algorithm, Key};

pub(super) const SECRET: &[u8] = b"a secret of the app, thirty-two bytes or more";
pub(super) const RSA_PUBLIC: &str = include_str!("rsa_public.pem");
const RSA_PRIVATE: &str = include_str!("rsa_private.pem");

pub(super) enum Signer {
    Hs256(Vec<u8>),
    Rs256(RsaKeyPair),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Signer {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        match algorithm {
            Algorithm::Hs256 => Self::Hs256(SECRET.to_vec()),
            Algorithm::Rs256 => {
                let body: String = RSA_PRIVATE
                    .lines()
                    .filter(|line| !line.starts_with("---"))
                    .collect();
                Self::Rs256(RsaKeyPair::from_pkcs8(&STANDARD.decode(body).unwrap()).unwrap())
            }
            Algorithm::Es256 => {
                let kind = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
                let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
                Self::Es256(EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random).unwrap())
            }
            Algorithm::EdDsa => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Self::EdDsa(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
            }
        }
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": self.name(), "typ": "JWT" }), &claims.to_string())
    }

    pub(super) fn token_of(&self, key_id: &str, claims: &Value) -> String {
        self.token_with(&json!({ "alg": self.name(), "kid": key_id }), &claims.to_string())
    }

    /// With any head, and claims as text.
    pub(super) fn token_with(&self, head: &Value, claims: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", encode(&head.to_string()), encode(claims));
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Hs256(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Self::Es256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "HS256",
            Self::Rs256(_) => "RS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    /// As the manifest would have it.
    pub(super) fn key(&self) -> Key {
        let prefix: &[u8] = match self {
            Self::Hs256(secret) => return Key::secret(secret).unwrap(),
            Self::Rs256(_) => return Key::public_pem(RSA_PUBLIC).unwrap(),
            Self::Es256(_) => {
                b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"
            }
            Self::EdDsa(_) => b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00",
        };
        let der = STANDARD.encode([prefix, self.public()].concat());
        Key::public_pem(&format!(
            "-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n"
        ))
        .unwrap()
    }

    fn public(&self) -> &[u8] {
        match self {
            Self::Hs256(secret) => secret,
            Self::Rs256(pair) => pair.public_key().as_ref(),
            Self::Es256(pair) => pair.public_key().as_ref(),
            Self::EdDsa(pair) => pair.public_key().as_ref(),
        }
    }

    /// As its issuer publishes it.
    pub(super) fn jwk(&self, id: &str) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = self.public();
        match self {
            Self::Hs256(secret) => json!({ "kty": "oct", "kid": id, "k": encode(secret) }),
            Self::Rs256(pair) => {
                let parts = signature::RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                // With a leading zero, as some publish it.
                let n = [&[0], &parts.n[..]].concat();
                json!({ "kty": "RSA", "kid": id, "use": "sig", "alg": "RS256", "n": encode(&n), "e": encode(&parts.e) })
            }
            Self::Es256(_) => {
                let (x, y) = (encode(&public[1..33]), encode(&public[33..]));
                json!({ "kty": "EC", "kid": id, "crv": "P-256", "x": x, "y": y })
            }
            Self::EdDsa(_) => json!({ "kty": "OKP", "kid": id, "crv": "Ed25519", "x": encode(public) }),
        }
    }
}
