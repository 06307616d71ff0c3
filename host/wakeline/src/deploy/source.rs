use std::{fs, path::Path};

use platform::{AppDir, Ceilings, MANIFEST_FILE, check_app_name};

use super::bundle;
use crate::{
    build,
    failure::{Failure, Kind},
};

/// What is deployed: an app's folder, or a component alone.
pub(super) struct Source {
    /// The app's name on the host.
    pub(super) name: String,
    /// As the host gets it; `None`: the one that it has stays.
    pub(super) manifest: Option<String>,
    dir: Option<AppDir>,
    /// A component that is built already.
    file: Option<std::path::PathBuf>,
}

impl Source {
    /// `name`: instead of the manifest's.
    pub(super) fn load(what: &Path, name: Option<&str>) -> Result<Self, Failure> {
        let file = what.is_file().then(|| what.to_owned());
        if file.is_none() && what.extension().is_some_and(|extension| extension == "wasm") {
            return Err(
                Failure::new(Kind::Missing, format!("there is no file {}", what.display()))
                    .help("build the component first, or name the app's folder: then it is built"),
            );
        }
        let folder = match &file {
            Some(file) => match file.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            },
            None => what,
        };
        let dir = if file.is_none() || folder.join(MANIFEST_FILE).is_file() {
            Some(AppDir::load(folder, &Ceilings::none())?)
        } else {
            None
        };
        let name = match (name, &dir) {
            (Some(name), _) => name.to_owned(),
            (None, Some(dir)) => dir.manifest.name.clone(),
            (None, None) => {
                return Err(Failure::new(
                    Kind::Usage,
                    format!(
                        "which app is {} of? There is no {MANIFEST_FILE} beside it",
                        what.display()
                    ),
                )
                .help("--app NAME"));
            }
        };
        check_app_name(&name).map_err(|expected| {
            Failure::new(Kind::Usage, format!("--app: expected {expected}, found {name:?}"))
        })?;
        let manifest = match &dir {
            Some(dir) => Some(manifest(dir, &name)?),
            None => None,
        };
        Ok(Self {
            name,
            manifest,
            dir,
            file,
        })
    }

    /// Nothing where a built component was named.
    pub(super) fn build(&self) -> Result<(), Failure> {
        match &self.dir {
            Some(dir) if self.file.is_none() => build::build(dir),
            _ => Ok(()),
        }
    }

    pub(super) fn component(&self) -> Result<Vec<u8>, Failure> {
        let path = match (&self.file, &self.dir) {
            (Some(file), _) => file,
            (None, Some(dir)) => &dir.component,
            (None, None) => unreachable!("what is not a file is a folder"),
        };
        let bytes = fs::read(path).map_err(|error| {
            Failure::new(Kind::Missing, format!("cannot read {}: {error}", path.display()))
        })?;
        if bytes.starts_with(b"\0asm") {
            return Ok(bytes);
        }
        Err(
            Failure::new(Kind::App, format!("{} is not WebAssembly", path.display()))
                .help("an app's component is what `wakeline build` makes"),
        )
    }

    /// The folder of assets as one archive; `None`: there are none.
    pub(super) fn assets(&self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(folder) = self.dir.as_ref().and_then(|dir| dir.assets.as_ref()) else {
            return Ok(None);
        };
        bundle::pack(folder)
            .map_err(|error| Failure::new(Kind::Missing, format!("assets in {}: {error}", folder.display())))
    }
}

/// The manifest's text, with `name` as the app's name.
fn manifest(dir: &AppDir, name: &str) -> Result<String, Failure> {
    let text = fs::read_to_string(&dir.manifest_path).map_err(|error| {
        Failure::new(
            Kind::Missing,
            format!("cannot read {}: {error}", dir.manifest_path.display()),
        )
    })?;
    Ok(renamed(&text, name))
}

/// The rest stays as the author wrote it, lines too: errors of the host name them.
fn renamed(text: &str, name: &str) -> String {
    let table = toml::de::DeTable::parse(text);
    let span = table
        .ok()
        .and_then(|table| Some(table.get_ref().get("name")?.span()));
    let mut text = text.to_owned();
    if let Some(span) = span {
        text.replace_range(span, &format!("{name:?}"));
    }
    text
}

#[cfg(test)]
mod tests;
