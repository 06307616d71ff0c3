use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
        UnparsedPublicKey, VerificationAlgorithm,
    },
};
use serde::Deserialize;

use crate::pem;

/// The algorithms that apps may choose from: one for each kind of key that issuers use (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256 and a secret of 32 bytes or more.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 and a key of 2048 to 8192 bits.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// By its registered name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "HS256" => Self::Hs256,
            "RS256" => Self::Rs256,
            "ES256" => Self::Es256,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }
}

/// A key, and the one algorithm it is good for.
#[derive(Clone)]
pub struct Key(Material);

#[derive(Clone)]
enum Material {
    Hs256(hmac::Key),
    Rs256(RsaPublicKeyComponents<Vec<u8>>),
    /// `RSAPublicKey` in DER.
    Rs256Der(Vec<u8>),
    /// A point, uncompressed.
    Es256(Vec<u8>),
    EdDsa(Vec<u8>),
}

/// Without the key: secrets must not reach a log.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?})", self.algorithm())
    }
}

/// RFC 7518 §3.2: a key as long as the hash, or it could be guessed from one token.
const SECRET_BYTES_MIN: usize = 32;

impl Key {
    /// A shared secret. `Err` says what is wrong with it.
    pub fn secret(secret: &[u8]) -> Result<Self, &'static str> {
        // Who takes a public key for a secret lets anybody sign.
        if pem::is_public_key(secret) {
            return Err("it is a public key, which is no secret");
        }
        if secret.len() < SECRET_BYTES_MIN {
            return Err("it is shorter than 32 bytes");
        }
        Ok(Self(Material::Hs256(hmac::Key::new(hmac::HMAC_SHA256, secret))))
    }

    /// A public key as PEM (`-----BEGIN PUBLIC KEY-----`). `Err` says what is wrong with it.
    pub fn public_pem(text: &str) -> Result<Self, &'static str> {
        let (algorithm, bits) = pem::public_key(text)?;
        Ok(Self(match algorithm {
            Algorithm::Rs256 => Material::Rs256Der(bits),
            Algorithm::Es256 => Material::Es256(bits),
            Algorithm::EdDsa => Material::EdDsa(bits),
            Algorithm::Hs256 => unreachable!("no PEM holds a secret"),
        }))
    }

    /// `None`: not a public key for signatures by one of the [`Algorithm`]s. Secrets (`oct`) are not published; one that
    /// is, is nobody's any more.
    pub(crate) fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let signs = jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
        let operations = jwk.key_ops.as_ref();
        let verifies = operations.is_none_or(|known| known.iter().any(|known| known == "verify"));
        if !signs || !verifies {
            return None;
        }
        let key = Self(match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Material::Rs256(RsaPublicKeyComponents {
                n: number(jwk.n.as_deref()?)?,
                e: number(jwk.e.as_deref()?)?,
            }),
            ("EC", Some("P-256")) => {
                let (x, y) = (point(jwk.x.as_deref()?)?, point(jwk.y.as_deref()?)?);
                Material::Es256([&[4], &x[..], &y[..]].concat())
            }
            ("OKP", Some("Ed25519")) => Material::EdDsa(point(jwk.x.as_deref()?)?.to_vec()),
            _ => return None,
        });
        let pinned = jwk.alg.as_deref();
        pinned
            .is_none_or(|pinned| Algorithm::parse(pinned) == Some(key.algorithm()))
            .then_some(key)
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Material::Hs256(_) => Algorithm::Hs256,
            Material::Rs256(_) | Material::Rs256Der(_) => Algorithm::Rs256,
            Material::Es256(_) => Algorithm::Es256,
            Material::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// Whether `signature` is this key's of `message`.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let unparsed = |algorithm: &'static dyn VerificationAlgorithm, key: &Vec<u8>| {
            UnparsedPublicKey::new(algorithm, key).verify(message, signature)
        };
        let verified = match &self.0 {
            Material::Hs256(key) => hmac::verify(key, message, signature),
            Material::Rs256(key) => key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
            Material::Rs256Der(key) => unparsed(&RSA_PKCS1_2048_8192_SHA256, key),
            Material::Es256(key) => unparsed(&ECDSA_P256_SHA256_FIXED, key),
            Material::EdDsa(key) => unparsed(&ED25519, key),
        };
        verified.is_ok()
    }
}

/// A published key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2), as far as it may be of use.
#[derive(Deserialize)]
pub(crate) struct Jwk {
    kty: String,
    crv: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    pub(crate) kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// A number of a JWK. Some publish it with leading zeros, which ring refuses.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes.get(zeros..)?.to_vec())
}

/// A coordinate of a point.
fn point(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
