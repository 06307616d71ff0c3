//! Who an app's clients are: its manifest's words as a policy, and the session's questions answered by it.
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use auth::{Algorithm, Key, KeyCache, Policy, Trust};
use futures_util::future::{BoxFuture, ready};
use platform::{Auth, AuthKeys, Manifest};
use session::{AuthSettings, Credential, CredentialPlace, Rejection, RejectionCode, Verified, Verifier};

use crate::{
    apps::{Tenant, Version},
    code::merged,
    secrets::Secrets,
};

/// What a version says of tokens, and who checks them.
pub(crate) struct Guard {
    policy: Policy,
    settings: AuthSettings,
    /// Made by the first core that needs it, shared by all: they count failures together.
    verifier: OnceLock<Arc<auth::Verifier>>,
}

impl Guard {
    /// `Ok(None)` without `[auth]`. `Err` says what is wrong with it; its author is at fault.
    pub(crate) fn new(manifest: &Manifest) -> Result<Option<Self>, String> {
        let Some(words) = &manifest.auth else {
            return Ok(None);
        };
        let policy = policy(manifest, words)?;
        policy.check().map_err(|error| error.to_string())?;
        Ok(Some(Self {
            policy,
            settings: closed(words),
            verifier: OnceLock::new(),
        }))
    }

    /// For the sessions of a core.
    pub(crate) fn settings(
        &self,
        keys: &Arc<KeyCache>,
        secrets: &Secrets,
        tenant: &Arc<Tenant>,
        version: &Version,
    ) -> AuthSettings {
        let make = || auth::Verifier::new(self.policy.clone(), Arc::clone(keys));
        let verifier = match self.verifier.get() {
            Some(verifier) => Arc::clone(verifier),
            // `new` has checked the policy: what it says cannot be wrong by now.
            None => match make() {
                Ok(made) => Arc::clone(self.verifier.get_or_init(|| Arc::new(made))),
                Err(error) => unreachable!("a policy that was checked: {error}"),
            },
        };
        AuthSettings {
            verifier: Arc::new(Gate {
                verifier,
                secrets: secrets.clone(),
                tenant: Arc::clone(tenant),
                config: Arc::clone(&version.config),
            }),
            ..self.settings.clone()
        }
    }
}

fn policy(manifest: &Manifest, words: &Auth) -> Result<Policy, String> {
    let algorithm =
        |name: &String| Algorithm::parse(name).ok_or_else(|| format!("auth.algorithms: no {name}"));
    let trust = match &words.keys {
        AuthKeys::Secret(name) => Trust::Secret(name.clone()),
        AuthKeys::PublicKey(pem) => {
            let key = Key::public_pem(pem).map_err(|problem| format!("auth.public_key: {problem}"))?;
            Trust::Key(key)
        }
        AuthKeys::Jwks(url) => Trust::Jwks {
            url: url.clone(),
            allow_private: manifest.http.allow_private,
        },
    };
    Ok(Policy {
        app: manifest.name.as_str().into(),
        algorithms: words.algorithms.iter().map(algorithm).collect::<Result<_, _>>()?,
        issuer: words.issuer.clone(),
        audience: words.audience.clone(),
        leeway: words.leeway,
        trust,
    })
}

/// What the manifest says, with nobody to check: no client gets in until [`Guard::settings`] has put somebody there.
pub(crate) fn closed(words: &Auth) -> AuthSettings {
    AuthSettings {
        verifier: Arc::new(Closed),
        places: words.token.iter().map(|place| credential_place(place)).collect(),
        required: words.required,
        expiry_grace: words.expiry_grace,
    }
}

/// The manifest has checked the form.
fn credential_place(place: &str) -> CredentialPlace {
    match place.split_once('.') {
        Some(("query", name)) => CredentialPlace::Query(name.into()),
        Some(("cookie", name)) => CredentialPlace::Cookie(name.into()),
        Some((_, field)) => CredentialPlace::Auth(field.into()),
        None => CredentialPlace::Header,
    }
}

#[derive(Debug)]
struct Closed;

impl Verifier for Closed {
    fn verify(&self, _: Credential) -> BoxFuture<'static, Result<Verified, Rejection>> {
        Box::pin(ready(Err(told(auth::Rejection::Unavailable))))
    }
}

/// Asks the verifier, with the app's secret as it is now.
struct Gate {
    verifier: Arc<auth::Verifier>,
    secrets: Secrets,
    tenant: Arc<Tenant>,
    config: Arc<std::collections::BTreeMap<String, String>>,
}

impl Verifier for Gate {
    fn verify(&self, credential: Credential) -> BoxFuture<'static, Result<Verified, Rejection>> {
        let (verifier, secrets) = (Arc::clone(&self.verifier), self.secrets.clone());
        let (tenant, config) = (Arc::clone(&self.tenant), Arc::clone(&self.config));
        Box::pin(async move {
            let secret = match verifier.secret_name() {
                None => None,
                Some(name) => {
                    if let Err(failure) = secrets.bring(&tenant).await {
                        tracing::warn!(app = %tenant.name, %failure, "no token can be checked");
                        return Err(told(auth::Rejection::Unavailable));
                    }
                    merged(&config, tenant.secrets().as_ref()).get(name).cloned()
                }
            };
            let Credential {
                token,
                remote_address,
            } = credential;
            let secret = secret.as_ref().map(String::as_bytes);
            let verified = verifier.verify(token.as_deref(), &remote_address, secret).await;
            verified.map(proved).map_err(told)
        })
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.verifier.fmt(f)
    }
}

fn proved(verified: auth::Verified) -> Verified {
    Verified {
        claims: verified.claims,
        subject: verified.subject,
        expires_at_s: verified.expires_at_ms / 1000,
        expires_in: verified.expires_in,
    }
}

fn told(rejection: auth::Rejection) -> Rejection {
    let code = match rejection {
        auth::Rejection::Expired => RejectionCode::TokenExpired,
        auth::Rejection::Unavailable => RejectionCode::Unavailable,
        _ => RejectionCode::Unauthorised,
    };
    Rejection {
        code,
        message: rejection.to_string(),
    }
}
