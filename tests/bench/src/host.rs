use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};
use router::Target;
use runtime::{Commit, CommitError, Host, LineOf, LogLevel, Page};

/// A host with nothing behind it: what is measured is the runtime.
pub(crate) struct Nothing;

impl Host for Nothing {
    fn kv_get<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<(Bytes, u64)>, String>> {
        ready(Ok(None)).boxed()
    }

    fn kv_keys<'a>(
        &'a self,
        _: &'a str,
        _: Option<&'a str>,
        _: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn commit(&self, _: Commit) -> BoxFuture<'_, Result<(), CommitError>> {
        ready(Ok(())).boxed()
    }

    fn fetch_sockets(&self, _: Target, _: Option<String>) -> BoxFuture<'_, Result<Page, String>> {
        ready(Ok(Page::default())).boxed()
    }

    fn log(&self, _: LogLevel, _: &str, _: &str, _: LineOf<'_>) {}

    fn config(&self) -> Arc<BTreeMap<String, String>> {
        Arc::default()
    }

    fn http_allowed(&self, _: &str) -> bool {
        false
    }
}
