use http::StatusCode;
use serde_json::json;

use super::{
    Admin, Asked,
    apps::{limit, parameter},
    reply::{self, Outcome},
};

const ENTRIES_DEFAULT: usize = 100;
const ENTRIES_MAX: usize = 1_000;

impl Admin {
    /// `GET /v1/apps/{app}/audit`, `GET /v1/audit`.
    pub(super) async fn audit(&self, asked: Asked<'_>) -> Outcome {
        let of_app = asked.app_if_any();
        let known: &[&str] = if of_app.is_some() {
            &["limit"]
        } else {
            &["app", "limit"]
        };
        let parameters = asked.parameters(known)?;
        let limit = limit(&parameters, ENTRIES_DEFAULT, ENTRIES_MAX)?;
        let platform = self.handle.platform();
        if let Some(app) = of_app {
            platform.app(app).await?;
        }
        let app = of_app.or(parameter(&parameters, "app"));
        let entries = platform.audit_entries(app, limit).await?;
        Ok(reply::json(StatusCode::OK, &json!({ "entries": entries })))
    }
}
