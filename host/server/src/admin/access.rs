//! Who asks, and whether they may. An app's token cannot find out whether another app exists.
use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, StatusCode, header};
use platform::{Identity, PlatformError};
use serde_json::json;

use super::{
    Admin, Asked,
    logs::Reader,
    reply::{self, Denied, Outcome, error},
    routes::Access,
};
use crate::Handle;

/// Why nobody is believed.
pub(super) enum Refusal {
    Nobody,
    /// Whoever is at that address has been wrong too often.
    TooOften,
    Unavailable(PlatformError),
}

impl Admin {
    pub(super) async fn authenticate(
        &self,
        bearer: Option<&str>,
        peer: IpAddr,
    ) -> Result<Arc<Identity>, Refusal> {
        let token = bearer.ok_or(Refusal::Nobody)?;
        if self.token.admits(token) {
            return Ok(Arc::new(Identity::operator_by_file()));
        }
        let platform = self.handle.platform();
        // Who was right a moment ago is not held up by a neighbour's guesses.
        if let Some(known) = platform.recognise(token) {
            return Ok(known);
        }
        if !self.damping.may_try(peer) {
            return Err(Refusal::TooOften);
        }
        match platform.authenticate(token).await {
            Ok(Some(identity)) => Ok(identity),
            Ok(None) => {
                self.damping.failed(peer);
                Err(Refusal::Nobody)
            }
            Err(error) => Err(Refusal::Unavailable(error)),
        }
    }
}

/// The token of an `Authorization: Bearer` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether `who` may do this to `app`.
pub(super) fn check(access: Access, who: Option<&Identity>, app: &str) -> Result<(), Denied> {
    match (access, who) {
        // Whoever got here without a token may be without.
        (Access::Everybody | Access::Metrics | Access::AnyToken, _) | (_, None) => Ok(()),
        (Access::Operator | Access::App(_), Some(who)) if who.is_operator() => Ok(()),
        (Access::Operator, Some(_)) => Err(forbidden("this is for operators' tokens")),
        (Access::App(_), Some(who)) if who.app.as_deref() != Some(app) => Err(reply::no_app(app)),
        (Access::App(scope), Some(who)) if who.has(scope) => Ok(()),
        (Access::App(scope), Some(_)) => Err(forbidden(&format!("the token lacks the scope `{scope}`"))),
    }
}

/// The token of somebody who was let in, looked at again while an answer goes on.
pub(super) struct Pass {
    handle: Handle,
    /// `None`: the file's, which ends with the process.
    token: Option<String>,
}

impl Pass {
    pub(super) fn of(handle: &Handle, asked: &Asked<'_>) -> Self {
        let by_file = asked.who == Some(&Identity::operator_by_file());
        Self {
            handle: handle.clone(),
            token: bearer(asked.headers).filter(|_| !by_file).map(str::to_owned),
        }
    }
}

impl Reader for Pass {
    async fn may_go_on(&self) -> bool {
        let Some(token) = &self.token else { return true };
        match self.handle.platform().authenticate(token).await {
            Ok(identity) => identity.is_some(),
            // A store that cannot be asked now has not said no; those who look for the cause read this.
            Err(_) => true,
        }
    }
}

/// `GET /v1/whoami`.
pub(super) fn who_am_i(asked: &Asked<'_>) -> Outcome {
    asked.no_query()?;
    let Some(who) = asked.who else {
        return Err(reply::unauthorised());
    };
    let mut answer = json!({
        "kind": if who.is_operator() { "operator" } else { "app" },
        "scopes": who.scopes,
        "name": who.name,
        "id": who.id,
    });
    if let Some(app) = &who.app
        && let Some(answer) = answer.as_object_mut()
    {
        answer.insert("app".to_owned(), json!(app));
    }
    Ok(reply::json(StatusCode::OK, &answer))
}

pub(super) fn forbidden(message: &str) -> Denied {
    error(StatusCode::FORBIDDEN, "forbidden", message)
}
