use std::time::Duration;

use backplane::{Change, Condition, Error};
use bytes::{BufMut, Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use crate::{logs::now_ms, store::Store};

/// The mark of one idempotency key in an app's bucket: `p` NUL the key's SHA-256 → [`Value`]; beside it, so that old ones are
/// found without reading all, `q` NUL when NUL that digest. Both are written and deleted together.
pub(crate) struct Marks<'a> {
    store: &'a Store,
    digest: String,
    window: Duration,
}

/// What a claim found.
pub(crate) enum Claim {
    /// The push is ours to run.
    Ours(Mark),
    Running,
    Done,
}

/// A claim that is held: when it was made, and its revision.
pub(crate) struct Mark {
    at_ms: u64,
    revision: u64,
}

/// Whether it has run, and since when.
struct Value {
    done: bool,
    at_ms: u64,
}

/// A push that has run for so long is taken for dead with its node: no call may take as long.
const CLAIM_LASTS: Duration = Duration::from_mins(2);
/// Old marks deleted at once. The pushes between two sweeps leave fewer.
const SWEEP_MAX: usize = 256;

impl<'a> Marks<'a> {
    pub(crate) fn new(store: &'a Store, key: &str, window: Duration) -> Self {
        let digest = Sha256::digest(key);
        let digest = digest
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        Self {
            store,
            digest,
            window,
        }
    }

    /// For the log, whose keys are the app's emits' as well.
    pub(crate) fn name(&self) -> String {
        format!("push:{}", self.digest)
    }

    /// Takes the right to run it, if nobody has.
    pub(crate) async fn claim(&self) -> Result<Claim, Error> {
        self.claim_at(now_ms()).await
    }

    pub(crate) async fn claim_at(&self, now: u64) -> Result<Claim, Error> {
        let known = self.store.read(&self.key()).await?;
        let value = known.as_ref().and_then(|known| Value::decode(&known.bytes));
        let mut changes = Vec::with_capacity(3);
        if let Some(value) = &value {
            if value.lasts(now, self.window) {
                return Ok(if value.done { Claim::Done } else { Claim::Running });
            }
            changes.push(delete(when_key(value.at_ms, &self.digest)));
        }
        let condition = known.map_or(Condition::Absent, |known| Condition::Revision(known.revision));
        let claim = Value {
            done: false,
            at_ms: now,
        };
        changes.insert(0, put(self.key(), claim.encode(), condition));
        let when = when_key(now, &self.digest);
        changes.retain(|change| change.key != when);
        changes.push(put(when, Bytes::new(), Condition::Always));
        match self.store.write(changes).await {
            Ok(revisions) => Ok(Claim::Ours(Mark {
                at_ms: now,
                revision: revisions.first().copied().unwrap_or_default(),
            })),
            // Somebody else was faster by a moment.
            Err(Error::Conflict { .. }) => Ok(Claim::Running),
            Err(error) => Err(error),
        }
    }

    /// It has run.
    pub(crate) async fn finish(&self, mark: Mark) -> Result<(), Error> {
        let value = Value {
            done: true,
            at_ms: mark.at_ms,
        };
        let change = put(self.key(), value.encode(), Condition::Revision(mark.revision));
        self.store.write(vec![change]).await.map(drop)
    }

    /// It failed, and nothing of it happened: the next one with the key runs.
    pub(crate) async fn give_up(&self, mark: Mark) -> Result<(), Error> {
        let own = Change {
            key: self.key(),
            value: None,
            condition: Condition::Revision(mark.revision),
        };
        let changes = vec![own, delete(when_key(mark.at_ms, &self.digest))];
        self.store.write(changes).await.map(drop)
    }

    /// Forgets what nobody may ask for any more. What fails is left to the next time. Lists the app's bucket, which over
    /// NATS costs as much as it has keys.
    pub(crate) async fn sweep(&self, now: u64) {
        let Ok(oldest) = self.store.keys_from("q\0", SWEEP_MAX).await else {
            return;
        };
        for key in oldest {
            let Some((at_ms, digest)) = parse_when(&key) else {
                continue;
            };
            let lasts = |at_ms, done| Value { done, at_ms }.lasts(now, self.window);
            if lasts(at_ms, true) || lasts(at_ms, false) {
                // They are in the order of their time.
                return;
            }
            let Ok(known) = self.store.read(&mark_key(digest)).await else {
                return;
            };
            let mut changes = vec![delete(key.clone())];
            if let Some(known) = known
                && Value::decode(&known.bytes).is_none_or(|value| value.at_ms == at_ms)
            {
                changes.push(Change {
                    key: mark_key(digest),
                    value: None,
                    condition: Condition::Revision(known.revision),
                });
            }
            if let Err(error) = self.store.write(changes).await {
                tracing::debug!(%error, "a push's old mark is left for now");
            }
        }
    }

    fn key(&self) -> String {
        mark_key(&self.digest)
    }
}

impl Value {
    fn lasts(&self, now: u64, window: Duration) -> bool {
        let lasts = if self.done { window } else { CLAIM_LASTS };
        now.saturating_sub(self.at_ms) < u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX)
    }

    fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(9);
        bytes.put_u8(u8::from(self.done));
        bytes.put_u64(self.at_ms);
        bytes.freeze()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (done, rest) = bytes.split_first()?;
        Some(Self {
            done: *done == 1,
            at_ms: u64::from_be_bytes(*rest.first_chunk()?),
        })
    }
}

fn mark_key(digest: &str) -> String {
    format!("p\0{digest}")
}

/// Their order is that of time.
fn when_key(at_ms: u64, digest: &str) -> String {
    format!("q\0{at_ms:016x}\0{digest}")
}

fn parse_when(key: &str) -> Option<(u64, &str)> {
    let (at_ms, digest) = key.strip_prefix("q\0")?.split_once('\0')?;
    Some((u64::from_str_radix(at_ms, 16).ok()?, digest))
}

fn put(key: String, value: Bytes, condition: Condition) -> Change {
    Change {
        key,
        value: Some(value),
        condition,
    }
}

fn delete(key: String) -> Change {
    Change {
        key,
        value: None,
        condition: Condition::Always,
    }
}
