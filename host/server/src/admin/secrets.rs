use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Admin, Asked, body,
    reply::{self, Outcome},
};

impl Admin {
    /// `GET /v1/apps/{app}/secrets`.
    pub(super) async fn secrets(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        let secrets = self.handle.platform().secrets(asked.app).await?;
        let secrets: Vec<Value> = secrets
            .iter()
            .map(|secret| json!({ "name": secret.key, "updated_at_ms": secret.updated_at_ms }))
            .collect();
        Ok(reply::json(StatusCode::OK, &json!({ "secrets": secrets })))
    }

    /// `PUT /v1/apps/{app}/secrets/{key}`. The body is the value.
    pub(super) async fn put_secret(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        let (app, key, by) = (asked.app, asked.item, asked.by());
        self.not_fixed(app)?;
        let value = body::small(asked.body, platform::SECRET_BYTES_MAX).await?;
        self.handle.platform().put_secret(app, key, &value, &by).await?;
        self.take_in().await;
        Ok(reply::done())
    }

    /// `DELETE /v1/apps/{app}/secrets/{key}`.
    pub(super) async fn delete_secret(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        let platform = self.handle.platform();
        platform.remove_secret(asked.app, asked.item, &asked.by()).await?;
        self.take_in().await;
        Ok(reply::done())
    }
}
