use http::StatusCode;
use platform::{TokenInfo, requests::parse_new_token};
use serde_json::{Value, json};

use super::{
    Admin, Asked,
    apps::set,
    body,
    reply::{self, Outcome},
};

const BODY_BYTES_MAX: usize = 4 * 1024;

impl Admin {
    /// `GET /v1/apps/{app}/tokens`, `GET /v1/tokens`.
    pub(super) async fn tokens(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        let tokens = self.handle.platform().tokens(asked.app_if_any()).await?;
        let tokens: Vec<Value> = tokens.iter().map(shown).collect();
        Ok(reply::json(StatusCode::OK, &json!({ "tokens": tokens })))
    }

    /// `POST /v1/apps/{app}/tokens`, `POST /v1/tokens`.
    pub(super) async fn create_token(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        let (app, by) = (asked.app_if_any(), asked.by());
        if let Some(app) = app {
            self.not_fixed(app)?;
        }
        let app = app.map(str::to_owned);
        let body = body::small(asked.body, BODY_BYTES_MAX).await?;
        let new = parse_new_token(&body).map_err(|message| reply::invalid(&message))?;
        let platform = self.handle.platform();
        let (info, token) = platform.create_token(app.as_deref(), new, &by).await?;
        let mut answer = shown(&info);
        set(&mut answer, "token", Some(token));
        Ok(reply::json(StatusCode::CREATED, &answer))
    }

    /// `DELETE /v1/apps/{app}/tokens/{id}`, `DELETE /v1/tokens/{id}`.
    pub(super) async fn revoke_token(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        let platform = self.handle.platform();
        platform
            .revoke_token(asked.app_if_any(), asked.item, &asked.by())
            .await?;
        Ok(reply::done())
    }
}

fn shown(info: &TokenInfo) -> Value {
    let mut answer = json!({
        "id": info.id,
        "name": info.name,
        "scopes": info.scopes,
        "created_at_ms": info.created_at_ms,
        "by": info.by,
    });
    set(&mut answer, "expires_at_ms", info.expires_at_ms);
    answer
}
