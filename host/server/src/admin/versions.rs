use std::time::Duration;

use http::StatusCode;
use platform::{
    PlatformError, Told,
    requests::{check_component_header, parse_live, parse_rollback},
};
use serde_json::{Value, json};

use super::{
    Admin, Asked,
    apps::{set, standing},
    body,
    reply::{self, Outcome, error},
};
use crate::check::DeployError;

/// Of a component.
const COMPONENT_BYTES_MAX: usize = 64 * 1024 * 1024;
const JSON_BYTES_MAX: usize = 16 * 1024;

impl Admin {
    /// `POST /v1/apps/{app}/versions`.
    pub(super) async fn add_version(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        let (app, by) = (asked.app, asked.by());
        self.not_fixed(app)?;
        let platform = self.handle.platform();
        // Before the body is sent: whether there is such an app, and what the component is checked with.
        let draft = platform.draft(app).await?;
        // Ceilings may have come down since it was uploaded.
        let manifest = platform.check_manifest(app, &draft.manifest)?;
        let _upload = self.uploads.begin(app).await?;
        let component = body::large(asked.body, COMPONENT_BYTES_MAX).await?;
        let bad = |message: &str| error(StatusCode::UNPROCESSABLE_ENTITY, "component", message);
        check_component_header(&component).map_err(|message| bad(&message))?;
        let size_bytes = component.len();
        match self.handle.check_component(component.clone(), &manifest).await {
            Ok(_) => {}
            Err(DeployError::Unavailable(reason)) => return Err(reply::unavailable(&reason)),
            Err(refused) => return Err(bad(&refused.to_string())),
        }
        let added = platform.add_version(app, &draft, component, &by).await?;
        let status = if added.existing {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        };
        let answer = json!({
            "version": added.version,
            "digest": added.component.to_string(),
            "size_bytes": size_bytes,
            "existing": added.existing,
        });
        Ok(reply::json(status, &answer))
    }

    /// `GET /v1/apps/{app}/versions`.
    pub(super) async fn versions(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        let versions = self.handle.platform().versions(asked.app).await?;
        let versions: Vec<Value> = versions
            .iter()
            .map(|version| {
                let mut answer = json!({
                    "version": version.version,
                    "digest": version.component.to_string(),
                    "size_bytes": version.size_bytes,
                    "created_at_ms": version.created_at_ms,
                    "by": version.by,
                    "live": version.percent.is_some(),
                });
                set(
                    &mut answer,
                    "assets",
                    version.assets.map(|digest| digest.to_string()),
                );
                set(&mut answer, "percent", version.percent);
                set(&mut answer, "failed", version.failed.as_ref());
                answer
            })
            .collect();
        Ok(reply::json(StatusCode::OK, &json!({ "versions": versions })))
    }

    /// `POST /v1/apps/{app}/live`.
    pub(super) async fn set_live(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        let (app, by) = (asked.app, asked.by());
        self.not_fixed(app)?;
        let body = body::small(asked.body, JSON_BYTES_MAX).await?;
        let live = parse_live(&body).map_err(|message| reply::invalid(&message))?;
        let platform = self.handle.platform();
        let told = platform.set_live(app, live.version, live.percent, &by).await;
        self.rolled_out(app, live.version, told, live.wait).await
    }

    /// `POST /v1/apps/{app}/rollback`.
    pub(super) async fn rollback(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        let (app, by) = (asked.app, asked.by());
        self.not_fixed(app)?;
        let body = body::small(asked.body, JSON_BYTES_MAX).await?;
        let back = parse_rollback(&body).map_err(|message| reply::invalid(&message))?;
        let told = self.handle.platform().rollback(app, back.version, &by).await;
        let version = told.as_ref().map_or(0, |told| told.stable);
        self.rolled_out(app, version, told, back.wait).await
    }

    /// Answers once the nodes have it.
    async fn rolled_out(
        &self,
        app: &str,
        version: u32,
        told: Result<Told, PlatformError>,
        wait: Duration,
    ) -> Outcome {
        let told = told?;
        self.take_in().await;
        let nodes = self.handle.wait_applied(app, wait).await;
        let percent = match told.canary {
            Some((canary, percent)) if canary == version => percent,
            Some((_, percent)) => 100 - percent,
            None => 100,
        };
        let answer = json!({
            "version": version,
            "percent": percent,
            "url": self.handle.url(app),
            "nodes": nodes.iter().map(standing).collect::<Vec<_>>(),
        });
        Ok(reply::json(StatusCode::OK, &answer))
    }
}
