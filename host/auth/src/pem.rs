//! Public keys as people paste them: PEM (RFC 7468) around a SubjectPublicKeyInfo (RFC 5280 §4.1).
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::Algorithm;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// rsaEncryption, with its NULL.
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// ecPublicKey on prime256v1.
const P256: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// Ed25519.
const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// The key's algorithm, and its bits as ring wants them: RSA's `RSAPublicKey`, or a point.
pub(crate) fn public_key(text: &str) -> Result<(Algorithm, Vec<u8>), &'static str> {
    let body = text
        .trim()
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_suffix(END))
        .ok_or("it is not one `-----BEGIN PUBLIC KEY-----` … `-----END PUBLIC KEY-----`")?;
    let body: String = body.split_ascii_whitespace().collect();
    let der = STANDARD
        .decode(body)
        .map_err(|_| "what is between its marks is not base64")?;
    parse(&der).ok_or("it is no public key of RSA, P-256 or Ed25519")
}

/// Whether bytes that were given as a secret are a public key, as text or in DER.
pub(crate) fn is_public_key(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let marked = text.contains("-----BEGIN") && (text.contains("PUBLIC KEY") || text.contains("CERTIFICATE"));
    let bare = STANDARD
        .decode(text.trim())
        .is_ok_and(|der| parse(&der).is_some());
    marked || bare || parse(bytes).is_some()
}

/// `SEQUENCE { SEQUENCE { algorithm, parameters }, BIT STRING }`, and nothing after it.
fn parse(der: &[u8]) -> Option<(Algorithm, Vec<u8>)> {
    let (info, rest) = take(der, SEQUENCE)?;
    let (algorithm, key) = take(info, SEQUENCE)?;
    let (bits, after) = take(key, BIT_STRING)?;
    let [0, bits @ ..] = bits else { return None };
    if !rest.is_empty() || !after.is_empty() {
        return None;
    }
    let algorithm = match algorithm {
        RSA => Algorithm::Rs256,
        P256 => Algorithm::Es256,
        ED25519 => Algorithm::EdDsa,
        _ => return None,
    };
    Some((algorithm, bits.to_vec()))
}

/// The contents of one element with that tag, and what follows it. Lengths of up to two bytes: 64 KiB.
fn take(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    if *found != tag {
        return None;
    }
    let (length, rest) = match rest {
        [short @ 0..=0x7f, rest @ ..] => (usize::from(*short), rest),
        [0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x82, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}
