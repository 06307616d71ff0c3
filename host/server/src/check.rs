//! Whether a component that was uploaded would run: compiled, held against the world, and started once.
use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures_util::future::{BoxFuture, ready};
use platform::Manifest;
use router::{Failure, Target};
use runtime::{Commit, CommitError, CompileError, Digest, Host, LineOf, LogLevel, Page};

use crate::{Handle, translate};

/// Why a component is not taken. Its author is at fault, unless said otherwise.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeployError {
    #[error(transparent)]
    Compile(CompileError),
    /// The guest's backtrace included.
    #[error("the component cannot be started: {0}")]
    Start(Failure),
    /// We are short of something, or at fault: try again.
    #[error("{0}")]
    Unavailable(String),
}

impl Handle {
    /// Compiles a component, keeps its code on disk, and starts it once under the limits that its app gives it.
    pub(crate) async fn check_component(
        &self,
        wasm: Bytes,
        manifest: &Manifest,
    ) -> Result<Digest, DeployError> {
        let compiled = self
            .shelf()
            .compile(wasm, translate::compile_limits(manifest))
            .await;
        let component = compiled.map_err(|error| match error {
            CompileError::Busy | CompileError::Broken(_) => DeployError::Unavailable(error.to_string()),
            error => DeployError::Compile(error),
        })?;
        let host = Arc::new(Nowhere(Arc::new(manifest.config.clone())));
        let limits = translate::limits(manifest, 1);
        match component.try_start(host, &limits).await {
            Ok(()) => Ok(component.digest()),
            Err(Failure::Unavailable(reason)) => Err(DeployError::Unavailable(reason)),
            Err(failure) => Err(DeployError::Start(failure)),
        }
    }
}

/// What start code finds around it: its configuration, and nothing that it could change.
struct Nowhere(Arc<BTreeMap<String, String>>);

const NOT_YET: &str = "a component has nothing to do with the outside before its first call";

impl Host for Nowhere {
    fn kv_get<'a>(
        &'a self,
        _bucket: &'a str,
        _key: &'a str,
    ) -> BoxFuture<'a, Result<Option<(Bytes, u64)>, String>> {
        Box::pin(ready(Err(NOT_YET.to_owned())))
    }

    fn kv_keys<'a>(
        &'a self,
        _bucket: &'a str,
        _after: Option<&'a str>,
        _keys_max: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        Box::pin(ready(Err(NOT_YET.to_owned())))
    }

    fn commit(&self, _commit: Commit) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(ready(Err(CommitError::Failed(NOT_YET.to_owned()))))
    }

    fn fetch_sockets(&self, _target: Target, _cursor: Option<String>) -> BoxFuture<'_, Result<Page, String>> {
        Box::pin(ready(Err(NOT_YET.to_owned())))
    }

    fn log(&self, level: LogLevel, _context: &str, message: &str, _: LineOf<'_>) {
        tracing::debug!(?level, message, "a component that is being checked says");
    }

    fn config(&self) -> Arc<BTreeMap<String, String>> {
        Arc::clone(&self.0)
    }

    fn http_allowed(&self, _authority: &str) -> bool {
        false
    }
}
