use std::sync::Arc;

use http::StatusCode;
use platform::PlatformError;

use super::reply::Refused;
use crate::{Handle, apps::Tenant};

/// The app, to be spoken to; else what is missing.
pub(super) async fn running(handle: &Handle, app: &str) -> Result<Arc<Tenant>, Refused> {
    if let Some(tenant) = handle.tenant(app) {
        return Ok(tenant);
    }
    let refused = |status, code, message| Refused {
        status,
        code,
        message,
    };
    Err(match handle.platform().app(app).await {
        Err(error @ PlatformError::NoApp(_)) => refused(StatusCode::NOT_FOUND, "no_app", error.to_string()),
        Err(error) => refused(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string()),
        Ok(info) if info.live.is_none() => refused(
            StatusCode::CONFLICT,
            "no_live_version",
            format!("app {app:?} has no live version yet: deploy one"),
        ),
        Ok(_) => refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            format!("this node does not run app {app:?}: its log says why"),
        ),
    })
}
