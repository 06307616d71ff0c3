//! `[auth]`: what its strings must look like, and what its keys ask of each other.
use std::{collections::HashMap, time::Duration};

use crate::{
    checks::cookie_name,
    manifest::millis,
    read::{Value, Values},
};

/// How an app wants its clients' tokens checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Registered names (`RS256`); at least one.
    pub algorithms: Vec<String>,
    pub keys: AuthKeys,
    pub issuer: Option<String>,
    pub audience: Option<String>,
    /// `auth.FIELD`, `query.NAME`, `cookie.NAME` or `header`; at least one, the first that has a token counts.
    pub token: Vec<String>,
    pub required: bool,
    pub leeway: Duration,
    pub expiry_grace: Duration,
}

/// What tokens are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthKeys {
    /// URL of a set of public keys.
    Jwks(String),
    /// A public key as PEM; looked at only as far as its first and last line.
    PublicKey(String),
    /// Name of a secret of the app.
    Secret(String),
}

/// Where keys may come from; one of them is needed.
const SOURCES: [&str; 3] = ["auth.jwks", "auth.public_key", "auth.hs256_secret"];
const HMAC: &str = "HS256";

impl Auth {
    /// `None` without the section.
    pub(crate) fn assemble(values: &Values) -> Option<Self> {
        let jwks = || values.text("auth.jwks").map(AuthKeys::Jwks);
        let public_key = || values.text("auth.public_key").map(AuthKeys::PublicKey);
        let secret = || values.text("auth.hs256_secret").map(AuthKeys::Secret);
        let keys = jwks().or_else(public_key).or_else(secret)?;
        Some(Self {
            algorithms: values.texts("auth.algorithms"),
            keys,
            issuer: values.text("auth.issuer"),
            audience: values.text("auth.audience"),
            token: values.texts("auth.token"),
            required: values.flag("auth.required"),
            leeway: millis(values, "auth.leeway_ms"),
            expiry_grace: millis(values, "auth.expiry_grace_ms"),
        })
    }
}

/// What is wrong with the section as a whole, and at which key.
pub(crate) fn problems(found: &HashMap<&'static str, Value>) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let mut given = SOURCES.into_iter().filter(|key| found.contains_key(key));
    match (given.next(), given.next()) {
        (None, _) => {
            let text = "expected one of jwks, public_key and hs256_secret: what tokens are checked with";
            problems.push(("auth", text.to_owned()));
        }
        (Some(first), Some(second)) => {
            problems.push((
                second,
                format!("expected no second source of keys beside {first}"),
            ));
        }
        (Some(source), None) => {
            let with_secret = source == "auth.hs256_secret";
            problems.extend(algorithms(found.get("auth.algorithms"), with_secret));
        }
    }
    let plain_http = matches!(found.get("auth.jwks"), Some(Value::Text(url)) if url.starts_with("http:"));
    if plain_http && found.get("http.allow_private") != Some(&Value::Flag(true)) {
        let text = "expected https: who can change an answer on its way would be the issuer; for one of your own network, set http.allow_private";
        problems.push(("auth.jwks", text.to_owned()));
    }
    problems
}

fn algorithms(given: Option<&Value>, with_secret: bool) -> Option<(&'static str, String)> {
    let Some(Value::Texts(algorithms)) = given else {
        let text = "expected `algorithms`: a token does not choose how it is checked";
        return Some(("auth", text.to_owned()));
    };
    let hmac = algorithms.iter().filter(|name| *name == HMAC).count();
    let wrong = match with_secret {
        true if hmac < algorithms.len() => "expected only `HS256`: a secret signs by no other",
        false if hmac > 0 => "expected no `HS256` beside public keys: whoever reads the key could sign",
        _ => return None,
    };
    Some(("auth.algorithms", wrong.to_owned()))
}

pub(crate) fn algorithm(text: &str) -> Result<(), &'static str> {
    if matches!(text, "HS256" | "RS256" | "ES256" | "EdDSA") {
        Ok(())
    } else {
        Err("`RS256`, `ES256`, `EdDSA` or `HS256`")
    }
}

/// A URL as it is: nothing is ever filled in, least of all from a token (CVE-2026-32301).
pub(crate) fn jwks(text: &str) -> Result<(), &'static str> {
    let expected = "a URL, `https://` and host and path, without user, fragment and anything to fill in";
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let (host, path) = rest
        .ok_or(expected)?
        .split_once('/')
        .unwrap_or((rest.unwrap_or_default(), ""));
    let plain = |c: u8| c.is_ascii_graphic() && !b"{}<>\"\\^`|#@".contains(&c);
    let templated = ["%7b", "%7B", "%7d", "%7D"]
        .iter()
        .any(|brace| text.contains(brace));
    let fits = text.len() <= 2048 && !host.is_empty() && !host.contains(['?', '%']);
    if fits && !templated && host.bytes().all(plain) && path.bytes().all(plain) {
        Ok(())
    } else {
        Err(expected)
    }
}

pub(crate) fn public_key(text: &str) -> Result<(), &'static str> {
    let text = text.trim();
    if text.starts_with("-----BEGIN PUBLIC KEY-----") && text.ends_with("-----END PUBLIC KEY-----") {
        Ok(())
    } else {
        Err("`-----BEGIN PUBLIC KEY-----` … `-----END PUBLIC KEY-----`")
    }
}

pub(crate) fn secret_name(text: &str) -> Result<(), &'static str> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"_-.".contains(&c);
    if (1..=128).contains(&text.len()) && text.bytes().all(plain) {
        Ok(())
    } else {
        Err("the name of a secret, not the secret itself: letters, digits, `_`, `-`, `.`")
    }
}

pub(crate) fn place(text: &str) -> Result<(), &'static str> {
    match text.split_once('.') {
        None if text == "header" => Ok(()),
        Some(("auth" | "query" | "cookie", name)) if cookie_name(name) => Ok(()),
        _ => Err("`auth.FIELD`, `query.NAME`, `cookie.NAME` or `header`"),
    }
}
