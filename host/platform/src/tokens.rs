mod cache;
mod new;

use std::{fmt, sync::Arc};

use backplane::{Change, Condition};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::cache::Cached;
pub(crate) use self::cache::TokenCache;
pub use self::new::NewToken;
use crate::{
    Digest, Platform, PlatformError,
    platform::{encode, now_ms, read},
    tries::Tries,
};

/// What a token of an app allows. Operators' tokens allow everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// To look at the app, its versions and sockets.
    Read,
    Logs,
    /// To send to clients and to the app.
    Emit,
    /// To upload versions, and to say which is live.
    Deploy,
    /// To set and remove secrets. Nobody can read them.
    Secrets,
    /// To make and revoke tokens of the app, and to delete it.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 6] = [
        Self::Read,
        Self::Logs,
        Self::Emit,
        Self::Deploy,
        Self::Secrets,
        Self::Admin,
    ];
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Logs => "logs",
            Self::Emit => "emit",
            Self::Deploy => "deploy",
            Self::Secrets => "secrets",
            Self::Admin => "admin",
        })
    }
}

/// Who bears a token that is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `None`: an operator.
    pub app: Option<Arc<str>>,
    pub scopes: Vec<Scope>,
    pub name: String,
    /// Names the token where it must not be said.
    pub id: String,
}

/// A token as it is listed: what it looks like, nobody can say any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    pub id: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub created_at_ms: u64,
    #[serde(default)]
    pub expires_at_ms: Option<u64>,
    pub by: String,
}

/// Key: the SHA-256 of the token.
#[derive(Serialize, Deserialize)]
struct TokenRecord {
    #[serde(default)]
    app: Option<Arc<str>>,
    #[serde(flatten)]
    info: TokenInfo,
}

/// Key `of/{app}`, or `operators`.
#[derive(Default, Serialize, Deserialize)]
struct Listed {
    tokens: Vec<ListedToken>,
}

#[derive(Clone, Serialize, Deserialize)]
struct ListedToken {
    hash: Digest,
    #[serde(flatten)]
    info: TokenInfo,
}

const BUCKET: &str = "tokens";
const OPERATOR_PREFIX: &str = "wko_";
const APP_PREFIX: &str = "wka_";
const RANDOM_BYTES: usize = 32;
/// Tokens of one app, and of all operators.
const TOKENS_MAX: usize = 100;

impl Platform {
    /// Makes a token of an app, or (`None`) an operator's. The text is answered here and never again.
    pub async fn create_token(
        &self,
        app: Option<&str>,
        new: NewToken,
        by: &str,
    ) -> Result<(TokenInfo, String), PlatformError> {
        let info = new.checked(app, by)?;
        if let Some(app) = app {
            self.app(app).await?;
        }
        let mut random = [0; RANDOM_BYTES];
        fill(&mut random)?;
        let prefix = if app.is_some() {
            APP_PREFIX
        } else {
            OPERATOR_PREFIX
        };
        let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random));
        let token = ListedToken {
            hash: Digest::of(text.as_bytes()),
            info,
        };
        let mut tries = Tries::default();
        loop {
            let outcome = self.try_create(app, &token).await;
            if tries.again(&outcome).await {
                continue;
            }
            outcome?;
            self.audit(by, "token.create", app, token.info.summary()).await;
            return Ok((token.info, text));
        }
    }

    async fn try_create(&self, app: Option<&str>, token: &ListedToken) -> Result<(), PlatformError> {
        let (mut listed, condition) = self.listed(app).await?;
        let now = now_ms();
        let mut changes = Vec::new();
        // Those that have ended make room.
        listed.tokens.retain(|old| {
            let ended = old.info.has_ended(now);
            if ended {
                changes.push(gone(&old.hash));
            }
            !ended
        });
        if listed.tokens.len() >= TOKENS_MAX {
            return Err(PlatformError::Full {
                what: format!("there are {TOKENS_MAX} tokens already: revoke one first"),
            });
        }
        listed.tokens.push(token.clone());
        let record = TokenRecord {
            app: app.map(Arc::from),
            info: token.info.clone(),
        };
        changes.push(Change {
            key: token.hash.to_string(),
            value: Some(encode(&record)?),
            condition: Condition::Absent,
        });
        self.write_listed(app, &listed, condition, changes).await
    }

    /// The oldest first, without those that have ended.
    pub async fn tokens(&self, app: Option<&str>) -> Result<Vec<TokenInfo>, PlatformError> {
        if let Some(app) = app {
            self.app(app).await?;
        }
        let (listed, _) = self.listed(app).await?;
        let now = now_ms();
        let tokens = listed.tokens.into_iter().map(|token| token.info);
        Ok(tokens.filter(|info| !info.has_ended(now)).collect())
    }

    /// Ends a token: here at once, on other nodes within 3 s.
    pub async fn revoke_token(&self, app: Option<&str>, id: &str, by: &str) -> Result<(), PlatformError> {
        let mut tries = Tries::default();
        loop {
            let outcome = self.try_revoke(app, id).await;
            if tries.again(&outcome).await {
                continue;
            }
            let info = outcome?;
            self.audit(by, "token.revoke", app, info.summary()).await;
            return Ok(());
        }
    }

    async fn try_revoke(&self, app: Option<&str>, id: &str) -> Result<TokenInfo, PlatformError> {
        let (mut listed, condition) = self.listed(app).await?;
        let at = listed.tokens.iter().position(|token| token.info.id == id);
        let Some(at) = at else {
            return Err(PlatformError::NoToken);
        };
        let token = listed.tokens.remove(at);
        self.write_listed(app, &listed, condition, vec![gone(&token.hash)])
            .await?;
        self.token_cache().forget(&token.hash);
        Ok(token.info)
    }

    /// Ends all tokens of an app.
    pub(crate) async fn purge_tokens(&self, app: &str) -> Result<(), PlatformError> {
        let (listed, condition) = self.listed(Some(app)).await?;
        if condition == Condition::Absent {
            return Ok(());
        }
        let mut changes: Vec<_> = listed.tokens.iter().map(|token| gone(&token.hash)).collect();
        changes.push(Change {
            key: list_key(Some(app)),
            value: None,
            condition,
        });
        self.backplane().write(BUCKET, changes).await?;
        for token in &listed.tokens {
            self.token_cache().forget(&token.hash);
        }
        Ok(())
    }

    /// Who bears this token. `None`: it never was one, has ended or was revoked. The answer may be 3 s old.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Arc<Identity>>, PlatformError> {
        // Nothing else is worth a look: and what is kept here are digests, compared by looking them up.
        let random = token
            .strip_prefix(OPERATOR_PREFIX)
            .or_else(|| token.strip_prefix(APP_PREFIX));
        if random.is_none_or(|random| random.len() != RANDOM_BYTES.div_ceil(3) * 4 - 1) {
            return Ok(None);
        }
        let hash = Digest::of(token.as_bytes());
        if let Some(known) = self.token_cache().get(&hash) {
            return Ok(known.identity());
        }
        let at = Instant::now();
        let value = self.backplane().get(BUCKET, &hash.to_string()).await?;
        let record = value
            .map(|value| read::<TokenRecord>(&value.bytes, || "a token".to_owned()))
            .transpose()?;
        let found = record.map(|record| {
            let identity = Identity {
                scopes: match record.app {
                    Some(_) => record.info.scopes,
                    None => Scope::ALL.to_vec(),
                },
                app: record.app,
                name: record.info.name,
                id: record.info.id,
            };
            (Arc::new(identity), record.info.expires_at_ms)
        });
        Ok(self.token_cache().put(hash, Cached { at, found }))
    }

    /// The same, for a token that was looked up within the last seconds; nobody is asked. `None`: ask.
    pub fn recognise(&self, token: &str) -> Option<Arc<Identity>> {
        let hash = Digest::of(token.as_bytes());
        self.token_cache().get(&hash)?.identity()
    }

    async fn listed(&self, app: Option<&str>) -> Result<(Listed, Condition), PlatformError> {
        match self.backplane().get(BUCKET, &list_key(app)).await? {
            Some(value) => {
                let listed = read(&value.bytes, || "the list of tokens".to_owned())?;
                Ok((listed, Condition::Revision(value.revision)))
            }
            None => Ok((Listed::default(), Condition::Absent)),
        }
    }

    async fn write_listed(
        &self,
        app: Option<&str>,
        listed: &Listed,
        condition: Condition,
        mut changes: Vec<Change>,
    ) -> Result<(), PlatformError> {
        changes.push(Change {
            key: list_key(app),
            value: Some(encode(listed)?),
            condition,
        });
        self.backplane().write(BUCKET, changes).await?;
        Ok(())
    }
}

impl Identity {
    /// Whoever has the file with the operators' token, which is kept by no store.
    pub fn operator_by_file() -> Self {
        Self {
            app: None,
            scopes: Scope::ALL.to_vec(),
            name: "admin token file".to_owned(),
            id: "file".to_owned(),
        }
    }

    pub fn is_operator(&self) -> bool {
        self.app.is_none()
    }

    pub fn has(&self, scope: Scope) -> bool {
        self.is_operator() || self.scopes.contains(&scope)
    }

    /// For the audit record.
    pub fn by(&self) -> String {
        let kind = if self.is_operator() { "operator" } else { "app" };
        format!("{kind}:{} ({})", self.id, self.name)
    }
}

impl TokenInfo {
    fn has_ended(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_some_and(|ends| ends <= now_ms)
    }

    fn summary(&self) -> String {
        let scopes: Vec<_> = self.scopes.iter().map(ToString::to_string).collect();
        format!("{} ({}): {}", self.id, self.name, scopes.join(" "))
    }
}

fn list_key(app: Option<&str>) -> String {
    app.map_or_else(|| "operators".to_owned(), |app| format!("of/{app}"))
}

fn gone(hash: &Digest) -> Change {
    Change {
        key: hash.to_string(),
        value: None,
        condition: Condition::Always,
    }
}

pub(crate) fn fill(random: &mut [u8]) -> Result<(), PlatformError> {
    getrandom::fill(random).map_err(|error| PlatformError::Unavailable(format!("no random numbers: {error}")))
}

#[cfg(test)]
mod tests;
