//! Apps as their authors describe them: the manifest (`wakeline.toml`), its reference, the ceilings that an operator
//! sets over it, and the folder it lies in.
//!
//! Every key of the manifest stands in one table, in `keys.rs`: name, kind, bounds, default, unit and docs. Reading,
//! errors and the reference are made from it.
mod manifest;

mod app_dir;
mod ceilings;
mod checks;
mod docs;
mod keys;
mod problem;
mod read;

pub use app_dir::{AppDir, LoadError, MANIFEST_FILE};
pub use ceilings::{Ceilings, UnknownCeiling};
pub use checks::check_app_name;
pub use docs::docs;
pub use manifest::{Engine, Http, Limits, Manifest, Raw, Recovery, Sleep, SocketIo};
pub use problem::{ManifestErrors, Problem};

#[cfg(test)]
mod tests;
