use std::sync::Arc;

use http::StatusCode;
use platform::{AppInfo, LiveInfo, MANIFEST_BYTES_MAX, Manifest, PlatformError};
use serde_json::{Map, Value, json};

use super::{
    Admin, Asked, body,
    reply::{self, Denied, Outcome, error},
    usage::Used,
};
use crate::{
    apps::Tenant,
    follow::{NodeState, Standing},
};

const APPS_DEFAULT: usize = 100;
const APPS_MAX: usize = 1_000;

impl Admin {
    /// `GET /v1/apps`.
    pub(super) async fn apps(&self, asked: Asked<'_>) -> Outcome {
        let parameters = asked.parameters(&["after", "limit"])?;
        let after = parameter(&parameters, "after");
        let limit = limit(&parameters, APPS_DEFAULT, APPS_MAX)?;
        if let Some(app) = asked.who.and_then(|who| who.app.as_deref()) {
            let one = match self.handle.platform().app(app).await {
                Ok(info) => vec![self.summary(&info)],
                Err(PlatformError::NoApp(_)) => Vec::new(),
                Err(refused) => return Err(refused.into()),
            };
            return Ok(reply::json(StatusCode::OK, &json!({ "apps": one })));
        }
        // One more tells whether there is another page.
        let found = self.handle.platform().apps(after, limit + 1).await;
        let mut apps: Vec<(String, Value)> = found?
            .iter()
            .map(|info| (info.name.clone(), self.summary(info)))
            .collect();
        let fixed = self.handle.tenants().fixed();
        let fixed = fixed
            .iter()
            .filter(|tenant| after.is_none_or(|after| &*tenant.name > after));
        apps.extend(fixed.map(|tenant| (tenant.name.to_string(), self.fixed_summary(tenant))));
        apps.sort_by(|(a, _), (b, _)| a.cmp(b));
        let next = (apps.len() > limit).then(|| apps.get(limit - 1).map(|(name, _)| name.clone()));
        let apps: Vec<Value> = apps.into_iter().take(limit).map(|(_, app)| app).collect();
        let mut answer = json!({ "node": self.node, "apps": apps });
        set(&mut answer, "next", next.flatten());
        Ok(reply::json(StatusCode::OK, &answer))
    }

    /// `PUT /v1/apps/{app}`.
    pub(super) async fn put_app(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        let (app, by) = (asked.app, asked.by());
        self.not_fixed(app)?;
        // Operators make apps. A token outlives its app for a moment, on other nodes.
        if asked.who.is_some_and(|who| !who.is_operator()) {
            self.handle.platform().app(app).await?;
        }
        let text = body::small(asked.body, MANIFEST_BYTES_MAX).await?;
        let text = std::str::from_utf8(&text).map_err(|_| reply::invalid("the manifest is not UTF-8"))?;
        let created = self.handle.platform().put_manifest(app, text, &by).await?;
        let status = if created {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        Ok(reply::json(status, &json!({ "name": app, "created": created })))
    }

    /// `GET /v1/apps/{app}`.
    pub(super) async fn app(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        let name: Arc<str> = asked.app.into();
        let mut answer = match self.fixed(&name) {
            Some(tenant) => self.fixed_summary(&tenant),
            None => self.uploaded(&name).await?,
        };
        let used = Used::look(&self.handle, &name).await;
        set(&mut answer, "node", Some(self.node.as_str()));
        set(&mut answer, "sessions", Some(used.sessions.sessions));
        set(&mut answer, "sockets", Some(used.sessions.sockets));
        set(&mut answer, "away", Some(used.sessions.away));
        set(&mut answer, "timers", Some(used.timers));
        let tier = self.handle.tier(&name, used.instances);
        set(&mut answer, "tier", Some(tier));
        set(&mut answer, "usage", Some(used.now()));
        set(&mut answer, "totals", Some(used.totals()));
        set(&mut answer, "limit_hits", Some(used.limit_hits()));
        Ok(reply::json(StatusCode::OK, &answer))
    }

    /// `DELETE /v1/apps/{app}`.
    pub(super) async fn delete_app(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        self.not_fixed(asked.app)?;
        self.handle.platform().delete(asked.app, &asked.by()).await?;
        self.take_in().await;
        Ok(reply::done())
    }

    /// `PUT /v1/apps/{app}/assets`.
    pub(super) async fn put_assets(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        let (app, by) = (asked.app, asked.by());
        self.not_fixed(app)?;
        // Whether there is such an app, before the body is sent.
        self.handle.platform().draft(app).await?;
        let _upload = self.uploads.begin(app).await?;
        let archive = body::large(asked.body, platform::ASSETS_BYTES_MAX).await?;
        let bundle = tokio::task::spawn_blocking(move || platform::read_bundle(&archive)).await;
        let bundle = bundle.map_err(|_| reply::unavailable("the files could not be read"))?;
        let bundle = bundle
            .map_err(|refused| error(StatusCode::UNPROCESSABLE_ENTITY, "assets", &refused.to_string()))?;
        self.handle.platform().put_assets(app, &bundle, &by).await?;
        let answer = json!({
            "digest": bundle.digest.to_string(),
            "files": bundle.files,
            "bytes": bundle.bytes,
        });
        Ok(reply::json(StatusCode::OK, &answer))
    }

    /// `DELETE /v1/apps/{app}/assets`.
    pub(super) async fn delete_assets(&self, asked: Asked<'_>) -> Outcome {
        asked.no_query()?;
        self.not_fixed(asked.app)?;
        let platform = self.handle.platform();
        platform.remove_assets(asked.app, &asked.by()).await?;
        Ok(reply::done())
    }

    /// Has this node run what was just written; the others hear of it.
    pub(super) async fn take_in(&self) {
        if let Err(error) = self.handle.take_in().await {
            tracing::warn!(%error, "a change is not live here yet: the store cannot be read now");
        }
    }

    /// An app from a folder of this node, if it is one.
    pub(super) fn fixed(&self, app: &str) -> Option<Arc<Tenant>> {
        let tenants = self.handle.tenants();
        tenants.is_fixed(app).then(|| tenants.awake(app)).flatten()
    }

    /// Apps from folders are changed there.
    pub(super) fn not_fixed(&self, app: &str) -> Result<(), Denied> {
        if self.handle.tenants().is_fixed(app) {
            let message =
                format!("app {app:?} comes from a folder that this node was started with: change it there");
            return Err(error(StatusCode::CONFLICT, "folder", &message));
        }
        Ok(())
    }

    async fn uploaded(&self, app: &str) -> Result<Value, Denied> {
        let platform = self.handle.platform();
        let info = platform.app(app).await?;
        let mut answer = self.summary(&info);
        let entry = self.handle.catalogue().get(app);
        let manifest = if let Some(entry) = &entry {
            Arc::clone(&entry.stable.manifest)
        } else {
            platform.draft(app).await?.manifest
        };
        let nodes = match &info.live {
            Some(live) => states(&self.handle.states(app), live),
            None => Vec::new(),
        };
        let digest = info.live.as_ref().map(|live| live.component.to_string());
        set(&mut answer, "digest", digest);
        set(&mut answer, "versions", Some(info.versions));
        set(&mut answer, "nodes", Some(nodes));
        let limits = Manifest::limits_of(&manifest, platform.ceilings());
        let limits: Map<_, _> = limits
            .into_iter()
            .map(|(name, limit)| (name.to_owned(), json!(limit)))
            .collect();
        set(&mut answer, "limits", Some(limits));
        Ok(answer)
    }

    fn summary(&self, info: &AppInfo) -> Value {
        json!({
            "name": info.name,
            "live": info.live.as_ref().map(live),
            "url": self.handle.url(&info.name),
            "created_at_ms": info.created_at_ms,
        })
    }

    /// What there is to say of an app from a folder: it has no versions.
    fn fixed_summary(&self, tenant: &Tenant) -> Value {
        let version = tenant.version();
        json!({
            "name": &*tenant.name,
            "digest": version.digest.to_string(),
            "url": self.handle.url(&tenant.name),
            "namespaces": version.manifest.socketio.namespaces,
        })
    }
}

fn live(live: &LiveInfo) -> Value {
    let mut answer = json!({ "version": live.version, "digest": live.component.to_string() });
    let canary = live.canary.as_ref().map(|(version, component, percent)| {
        json!({ "version": version, "digest": component.to_string(), "percent": percent })
    });
    set(&mut answer, "canary", canary);
    answer
}

fn states(states: &[NodeState], live: &LiveInfo) -> Vec<Value> {
    let state = |node: &NodeState| {
        let mut answer = standing(node);
        if node.state == Standing::Live {
            set(&mut answer, "version", Some(live.version));
            set(&mut answer, "digest", Some(live.component.to_string()));
        }
        answer
    };
    states.iter().map(state).collect()
}

pub(super) fn standing(node: &NodeState) -> Value {
    let (state, reason) = match &node.state {
        Standing::Live => ("live", None),
        Standing::Behind => ("behind", None),
        Standing::Failed(reason) => ("failed", Some(reason.as_str())),
    };
    let mut answer = json!({ "node": node.node, "state": state });
    set(&mut answer, "reason", reason);
    answer
}

/// Sets a field, or leaves it out.
pub(super) fn set(answer: &mut Value, name: &str, value: Option<impl serde::Serialize>) {
    if let Some(value) = value
        && let Some(answer) = answer.as_object_mut()
    {
        answer.insert(name.to_owned(), json!(value));
    }
}

pub(super) fn parameter<'a>(parameters: &'a [(&str, String)], name: &str) -> Option<&'a str> {
    let found = parameters.iter().find(|(other, _)| *other == name);
    found.map(|(_, value)| value.as_str())
}

/// The parameter `limit`, 1 to `max`.
pub(super) fn limit(parameters: &[(&str, String)], default: usize, max: usize) -> Result<usize, Denied> {
    let Some(limit) = parameter(parameters, "limit") else {
        return Ok(default);
    };
    match limit.parse() {
        Ok(limit) if (1..=max).contains(&limit) => Ok(limit),
        _ => Err(reply::invalid(&format!("limit is 1 to {max}, not {limit:?}"))),
    }
}
