//! Bodies and queries of the admin API, as text: read here, so that they can be fuzzed without a server around them.
//! `Err` says what was wrong, for whoever asked.
use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{NewToken, Scope};

/// `POST …/live`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRequest {
    pub version: u32,
    /// 1 to 100.
    pub percent: u8,
    pub wait: Duration,
}

/// `POST …/rollback`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackRequest {
    pub version: Option<u32>,
    pub wait: Duration,
}

/// `POST …/emit`.
#[derive(Debug)]
pub struct EmitRequest {
    pub event: String,
    /// A JSON array, the event's arguments.
    pub args: Box<RawValue>,
    /// Empty: the whole namespace.
    pub rooms: Vec<String>,
    pub except: Vec<String>,
    pub namespace: String,
    /// Within the app's window a second request with the same key emits nothing and answers the first one's position.
    pub idempotency_key: Option<String>,
}

/// `POST …/push`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRequest {
    pub topic: String,
    /// The text of any JSON, `null` if there was none; or bytes that came in base64.
    pub payload: Vec<u8>,
    /// Within the app's window a second request with the same key runs nothing.
    pub idempotency_key: Option<String>,
}

const TOPIC_BYTES_MAX: usize = 256;
const KEY_BYTES_MAX: usize = 400;
const WAIT_MS_DEFAULT: u64 = 10_000;
const WAIT_MS_MAX: u64 = 60_000;
/// Ten years: longer is for ever.
const EXPIRES_S_MAX: u64 = 315_360_000;
const ROOMS_MAX: usize = 1_000;
const ROOM_BYTES_MAX: usize = 256;

pub fn parse_live(body: &[u8]) -> Result<LiveRequest, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Live {
        version: u32,
        percent: Option<u8>,
        wait_ms: Option<u64>,
    }
    let live: Live = json(body)?;
    let percent = live.percent.unwrap_or(100);
    if !(1..=100).contains(&percent) {
        return Err(format!("percent is 1 to 100, not {percent}"));
    }
    Ok(LiveRequest {
        version: live.version,
        percent,
        wait: wait(live.wait_ms)?,
    })
}

/// An empty body asks for what an empty object does.
pub fn parse_rollback(body: &[u8]) -> Result<RollbackRequest, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rollback {
        version: Option<u32>,
        wait_ms: Option<u64>,
    }
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    let rollback: Rollback = json(body)?;
    Ok(RollbackRequest {
        version: rollback.version,
        wait: wait(rollback.wait_ms)?,
    })
}

pub fn parse_new_token(body: &[u8]) -> Result<NewToken, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct New {
        name: String,
        #[serde(default)]
        scopes: Vec<Scope>,
        expires_in_s: Option<u64>,
    }
    let new: New = json(body)?;
    if let Some(seconds) = new.expires_in_s
        && !(1..=EXPIRES_S_MAX).contains(&seconds)
    {
        return Err(format!("expires_in_s is 1 to {EXPIRES_S_MAX}, not {seconds}"));
    }
    Ok(NewToken {
        name: new.name,
        scopes: new.scopes,
        expires_in: new.expires_in_s.map(Duration::from_secs),
    })
}

pub fn parse_emit(body: &[u8]) -> Result<EmitRequest, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Emit {
        event: String,
        args: Box<RawValue>,
        #[serde(default)]
        rooms: Vec<String>,
        #[serde(default)]
        except: Vec<String>,
        namespace: Option<String>,
        idempotency_key: Option<String>,
    }
    let emit: Emit = json(body)?;
    let mut rooms = emit.rooms.iter().chain(&emit.except);
    if rooms.clone().count() > ROOMS_MAX {
        return Err(format!("at most {ROOMS_MAX} rooms can be named"));
    }
    if let Some(room) = rooms.find(|room| room.is_empty() || room.len() > ROOM_BYTES_MAX) {
        return Err(format!(
            "a room's name has 1 to {ROOM_BYTES_MAX} bytes, not {}",
            room.len()
        ));
    }
    Ok(EmitRequest {
        event: emit.event,
        args: emit.args,
        rooms: emit.rooms,
        except: emit.except,
        namespace: emit.namespace.unwrap_or_else(|| "/".to_owned()),
        idempotency_key: emit.idempotency_key,
    })
}

pub fn parse_push(body: &[u8]) -> Result<PushRequest, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Push {
        topic: String,
        payload: Option<Box<RawValue>>,
        payload_base64: Option<String>,
        idempotency_key: Option<String>,
    }
    let push: Push = json(body)?;
    let between = |what: &str, text: &str, max: usize| {
        let fits = (1..=max).contains(&text.len());
        let message = || format!("{what} has 1 to {max} bytes, not {}", text.len());
        fits.then_some(()).ok_or_else(message)
    };
    between("topic", &push.topic, TOPIC_BYTES_MAX)?;
    if let Some(key) = &push.idempotency_key {
        between("idempotency_key", key, KEY_BYTES_MAX)?;
    }
    let payload = match (push.payload, push.payload_base64) {
        (Some(_), Some(_)) => return Err("send payload or payload_base64, not both".to_owned()),
        (None, None) => b"null".to_vec(),
        (Some(json), None) => json.get().as_bytes().to_vec(),
        (None, Some(text)) => {
            let bytes = BASE64_STANDARD.decode(text);
            bytes.map_err(|error| format!("payload_base64: {error}"))?
        }
    };
    Ok(PushRequest {
        topic: push.topic,
        payload,
        idempotency_key: push.idempotency_key,
    })
}

/// Whether bytes can be a component at all, told from their first eight; whether they are a good one, the compiler says.
pub fn check_component_header(wasm: &[u8]) -> Result<(), String> {
    const WASM: &[u8] = b"\0asm";
    /// Version and layer.
    const MODULE: &[u8] = &[1, 0, 0, 0];
    const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];
    let Some((WASM, rest)) = wasm.split_at_checked(WASM.len()) else {
        return Err(
            "this is no WebAssembly: the body is the component itself, as a file .wasm has it".to_owned(),
        );
    };
    match rest.get(..4) {
        Some(COMPONENT) => Ok(()),
        Some(MODULE) => Err(
            "this is a core module, not a component: build for the target wasm32-wasip2, or wrap it with \
             `wasm-tools component new`"
                .to_owned(),
        ),
        Some(_) => Err("this WebAssembly is of a version that the host does not know".to_owned()),
        None => Err("the component ends in its first eight bytes".to_owned()),
    }
}

/// The parameters of a query, decoded. Those that are not in `known` are an error, and so is one that comes twice.
pub fn parse_query<'a>(query: &'a str, known: &[&str]) -> Result<Vec<(&'a str, String)>, String> {
    let mut found: Vec<(&str, String)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if !known.contains(&name) {
            return Err(match known {
                [] => format!("{name:?} means nothing here"),
                _ => format!("{name:?} means nothing here; {} do", known.join(", ")),
            });
        }
        if found.iter().any(|(other, _)| *other == name) {
            return Err(format!("{name} is given twice"));
        }
        let value = percent_decode(&value.replace('+', " "))
            .ok_or_else(|| format!("{name} is not percent-encoded UTF-8"))?;
        found.push((name, value));
    }
    Ok(found)
}

/// `None`: a `%` without two hexadecimal digits, or no UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                (digit()? << 4 | digit()?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not what is expected here: {error}"))
}

fn wait(wait_ms: Option<u64>) -> Result<Duration, String> {
    let wait_ms = wait_ms.unwrap_or(WAIT_MS_DEFAULT);
    if wait_ms > WAIT_MS_MAX {
        return Err(format!("wait_ms is at most {WAIT_MS_MAX}, not {wait_ms}"));
    }
    Ok(Duration::from_millis(wait_ms))
}

#[cfg(test)]
mod tests;
