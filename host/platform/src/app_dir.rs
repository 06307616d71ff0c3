use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use crate::{Ceilings, Manifest, ManifestErrors};

/// The manifest's file name within an app's folder.
pub const MANIFEST_FILE: &str = "wakeline.toml";

/// An app's folder as an author keeps it: the manifest, with its paths resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppDir {
    pub dir: PathBuf,
    pub manifest_path: PathBuf,
    pub manifest: Manifest,
    /// Need not exist yet: it may have to be built.
    pub component: PathBuf,
    /// Exists.
    pub assets: Option<PathBuf>,
    /// What a change of makes a build due, the manifest included. May not all exist.
    pub watch: Vec<PathBuf>,
}

/// Why a folder is not an app. Whoever named it is at fault; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    #[error("there is no {MANIFEST_FILE} in {}", .0.display())]
    NoManifest(PathBuf),
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Manifest(ManifestErrors),
    #[error("{}: assets.dir: there is no folder {}", manifest.display(), dir.display())]
    NoAssets { manifest: PathBuf, dir: PathBuf },
}

impl AppDir {
    /// Reads `dir`'s manifest. Blocking.
    pub fn load(dir: &Path, ceilings: &Ceilings) -> Result<Self, LoadError> {
        let unreadable = |path: &Path, source| LoadError::Unreadable {
            path: path.to_owned(),
            source,
        };
        if !dir.is_dir() {
            return Err(LoadError::NoFolder(dir.to_owned()));
        }
        // Absolute, so that "." has a name and watchers report what can be compared.
        let absolute = dir.canonicalize().map_err(|error| unreadable(dir, error))?;
        let manifest_path = absolute.join(MANIFEST_FILE);
        let source = fs::read_to_string(&manifest_path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LoadError::NoManifest(dir.to_owned()),
            _ => unreadable(&dir.join(MANIFEST_FILE), error),
        })?;
        let folder = absolute
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let shown = dir.join(MANIFEST_FILE);
        let manifest = Manifest::parse(&source, &shown.to_string_lossy(), &folder, ceilings)
            .map_err(LoadError::Manifest)?;
        let assets = manifest.assets_dir.as_ref().map(|assets| absolute.join(assets));
        if let Some(missing) = assets.as_ref().filter(|assets| !assets.is_dir()) {
            return Err(LoadError::NoAssets {
                manifest: shown,
                dir: missing.clone(),
            });
        }
        let mut watch: Vec<_> = manifest
            .build_watch
            .iter()
            .map(|path| absolute.join(path))
            .collect();
        watch.push(manifest_path.clone());
        Ok(Self {
            component: resolve(&absolute, &manifest.component),
            dir: absolute,
            manifest_path,
            manifest,
            assets,
            watch,
        })
    }
}

/// `..` is taken out, for the sake of messages: the folder is canonical, so that it means what it says.
fn resolve(dir: &Path, path: &str) -> PathBuf {
    let mut resolved = dir.to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => _ = resolved.pop(),
            Component::CurDir => {}
            part => resolved.push(part),
        }
    }
    resolved
}
