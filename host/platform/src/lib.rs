//! Apps: as their authors describe them (the manifest, `wakeline.toml`, its reference, the ceilings that an operator
//! sets over it, the folder it lies in), and as the host keeps them (versions, what is live, files, who did what).
//!
//! [`Platform`] writes, [`Catalogue`] follows: both over the backplane, so that all nodes have the same apps.
//!
//! Every key of the manifest stands in one table, in `keys.rs`: name, kind, bounds, default, unit and docs. Reading,
//! errors and the reference are made from it.
mod catalogue;
mod live;
mod platform;

mod audit;
mod sealer;
mod secret_file;
mod secrets;
mod tokens;

mod bundle;
mod digest;
mod errors;
mod records;
mod tries;

pub mod requests;

mod manifest;

mod app_dir;
mod auth;
mod ceilings;
mod checks;
mod docs;
mod keys;
mod problem;
mod read;

pub use audit::{AUDIT_ALL_MAX, AUDIT_APP_MAX, AuditEntry};
pub use bundle::{ASSETS_BYTES_MAX, ASSETS_FILES_MAX, Bundle, BundleError, read_bundle, unpack_assets};
pub use catalogue::Catalogue;
pub use digest::Digest;
pub use errors::PlatformError;
pub use live::{Canary, Entry, Live};
pub use platform::{
    Added, AppInfo, Failure, LiveInfo, MANIFEST_BYTES_MAX, Platform, Told, VersionInfo, data_bucket,
};
pub use records::Draft;
pub use sealer::{SecretsKey, SecretsKeyError};
pub use secret_file::make as make_secret_file;
pub use secrets::{SECRET_BYTES_MAX, SECRETS_MAX, SecretInfo, SecretValue};
pub use tokens::{Identity, NewToken, Scope, TokenInfo};

pub use app_dir::{AppDir, LoadError, MANIFEST_FILE};
pub use auth::{Auth, AuthKeys};
pub use ceilings::{Ceilings, UnknownCeiling};
pub use checks::check_app_name;
pub use docs::docs;
pub use manifest::{Engine, Http, Limits, Manifest, Raw, Recovery, Sleep, SocketIo};
pub use problem::{ManifestErrors, Problem};

#[cfg(test)]
mod tests;
