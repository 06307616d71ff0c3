//! The app's configuration: `[config]` of its manifest, and the secrets that its operator has set.

use crate::{Result, host};

/// The value of `key`, if it is set.
///
/// ```
/// # use wakeline_sdk::{config, Result};
/// fn greeting() -> Result<String> {
///     Ok(config::get("GREETING")?.unwrap_or_else(|| "hello".to_owned()))
/// }
/// ```
pub fn get(key: &str) -> Result<Option<String>> {
    host::config_get(key)
}
