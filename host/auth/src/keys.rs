use jsonwebtoken::{DecodingKey, jwk};

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

    pub(crate) fn registered(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// A key, and the one algorithm it is good for.
#[derive(Clone)]
pub struct Key {
    pub(crate) algorithm: Algorithm,
    pub(crate) decoding: DecodingKey,
}

/// Without the key: secrets must not reach a log.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
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
        Ok(Self {
            algorithm: Algorithm::Hs256,
            decoding: DecodingKey::from_secret(secret),
        })
    }

    /// A public key as PEM (`-----BEGIN PUBLIC KEY-----`). `Err` says what is wrong with it.
    pub fn public_pem(text: &str) -> Result<Self, &'static str> {
        let (algorithm, bits) = pem::public_key(text)?;
        let decoding = match algorithm {
            Algorithm::Rs256 => DecodingKey::from_rsa_der(&bits),
            Algorithm::Es256 => DecodingKey::from_ec_der(&bits),
            Algorithm::EdDsa => DecodingKey::from_ed_der(&bits),
            Algorithm::Hs256 => unreachable!("no PEM holds a secret"),
        };
        Ok(Self { algorithm, decoding })
    }

    /// `None`: not a public key for signatures by one of the [`Algorithm`]s.
    pub(crate) fn from_jwk(jwk: &jwk::Jwk) -> Option<Self> {
        let common = &jwk.common;
        let signs = matches!(common.public_key_use, None | Some(jwk::PublicKeyUse::Signature));
        let operations = common.key_operations.as_ref();
        let verifies = operations.is_none_or(|known| known.contains(&jwk::KeyOperations::Verify));
        if !signs || !verifies {
            return None;
        }
        let (algorithm, named, decoding) = match &jwk.algorithm {
            jwk::AlgorithmParameters::RSA(rsa) => (
                Algorithm::Rs256,
                jwk::KeyAlgorithm::RS256,
                DecodingKey::from_rsa_raw_components(&number(&rsa.n)?, &number(&rsa.e)?),
            ),
            jwk::AlgorithmParameters::EllipticCurve(ec) if ec.curve == jwk::EllipticCurve::P256 => (
                Algorithm::Es256,
                jwk::KeyAlgorithm::ES256,
                DecodingKey::from_jwk(jwk).ok()?,
            ),
            jwk::AlgorithmParameters::OctetKeyPair(ed) if ed.curve == jwk::EllipticCurve::Ed25519 => (
                Algorithm::EdDsa,
                jwk::KeyAlgorithm::EdDSA,
                DecodingKey::from_jwk(jwk).ok()?,
            ),
            // Secrets (`oct`) are not published; one that is, is nobody's any more.
            _ => return None,
        };
        let pinned = common.key_algorithm.is_none_or(|pinned| pinned == named);
        pinned.then_some(Self { algorithm, decoding })
    }
}

/// A number of a JWK. Some publish it with leading zeros, which ring refuses.
fn number(text: &str) -> Option<Vec<u8>> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes.get(zeros..)?.to_vec())
}
