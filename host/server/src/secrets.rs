//! The secrets of apps that run, read before their code begins and again when they change.
use platform::{Catalogue, Platform};
use router::Failure;

use crate::apps::Tenant;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Secrets {
    platform: Platform,
    catalogue: Catalogue,
}

impl Secrets {
    pub(crate) fn new(platform: Platform, catalogue: Catalogue) -> Self {
        Self { platform, catalogue }
    }

    /// Reads an app's secrets unless that has been done. An app does not run without them.
    pub(crate) async fn bring(&self, tenant: &Tenant) -> Result<(), Failure> {
        if tenant.secrets().is_some() {
            return Ok(());
        }
        self.read(tenant)
            .await
            .map_err(|problem| Failure::Unavailable(format!("the app's secrets cannot be read: {problem}")))
    }

    /// They have changed: whoever has read them reads them again.
    pub(crate) async fn renew(&self, tenant: &Tenant) -> Result<(), String> {
        match tenant.secrets() {
            None => Ok(()),
            Some(_) => self.read(tenant).await,
        }
    }

    async fn read(&self, tenant: &Tenant) -> Result<(), String> {
        let app = &tenant.name;
        // Those of folders have their configuration there; most others never had a secret.
        let has_any =
            tenant.version().number > 0 && self.catalogue.get(app).is_some_and(|entry| entry.secrets > 0);
        let values = if has_any {
            let opened = self.platform.open_secrets(app).await;
            opened.map_err(|error| error.to_string())?
        } else {
            Vec::new()
        };
        let values = values
            .into_iter()
            .map(|(key, value)| (key, value.expose().to_string()));
        tenant.set_secrets(values.collect());
        Ok(())
    }
}
