//! Hosts that a person works with, and the tokens for them: one TOML file that only its owner can read.
use std::{
    collections::BTreeMap,
    fs, io,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    access::HostUrl,
    failure::{Failure, Kind},
    near, ui,
};

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profiles {
    /// Used where neither a host nor a profile is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) host: String,
    pub(crate) token: String,
}

impl Profiles {
    /// Those of the person who runs this; none if there is no file.
    pub(crate) fn load() -> Result<Self, Failure> {
        let Some(path) = path() else {
            return Ok(Self::default());
        };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                return Err(Failure::new(
                    Kind::Profiles,
                    format!("cannot read {}: {error}", path.display()),
                ));
            }
        };
        if fs::metadata(&path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
            ui::warn(
                &format!("{} has tokens and can be read by others", path.display()),
                Some(&format!("chmod 600 {}", path.display())),
            );
        }
        Self::parse(&text).map_err(|error| {
            Failure::new(Kind::Profiles, format!("{}: {error}", path.display()))
                .help("correct it, or remove it and `wakeline login` again")
        })
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // Not the error's own text, which shows the line: that may be a token's.
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.unwrap_or_default().matches('\n').count() + 1;
            format!("line {line}: {}", error.message())
        })
    }

    /// Writes the file that [`Self::load`] reads, and says which that is.
    pub(crate) fn save(&self) -> Result<PathBuf, Failure> {
        let path = path().ok_or_else(|| {
            Failure::new(
                Kind::Unwritable,
                "there is no place for profiles: neither HOME nor XDG_CONFIG_HOME is set",
            )
        })?;
        let text =
            toml::to_string(self).map_err(|error| Failure::new(Kind::Bug, format!("profiles: {error}")))?;
        write(&path, &text).map_err(|error| {
            Failure::new(
                Kind::Unwritable,
                format!("cannot write {}: {error}", path.display()),
            )
        })?;
        Ok(path)
    }

    pub(crate) fn get(&self, name: &str) -> Result<&Profile, Failure> {
        self.profiles.get(name).ok_or_else(|| {
            let failure = Failure::new(Kind::Usage, format!("there is no profile {name:?}"));
            match near::nearest(name, self.profiles.keys().map(String::as_str)) {
                Some(near) => failure.help(format!("is {near:?} meant? `wakeline profiles` shows all")),
                None => failure.help(format!("`wakeline login --profile {name} --host URL` makes it")),
            }
        })
    }

    pub(crate) fn default_name(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// A default that is not there any more is none.
    pub(crate) fn default_profile(&self) -> Option<&Profile> {
        self.profiles.get(self.default.as_ref()?)
    }

    /// The default first, if it is that host's.
    pub(crate) fn of_host(&self, url: &HostUrl) -> Option<&Profile> {
        let of_host = |profile: &&Profile| HostUrl::parse(&profile.host).is_ok_and(|host| host == *url);
        let default = self.default_profile().filter(of_host);
        default.or_else(|| self.profiles.values().find(of_host))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Profile)> {
        self.profiles
            .iter()
            .map(|(name, profile)| (name.as_str(), profile))
    }

    /// The first one is the default from then on.
    pub(crate) fn keep(&mut self, name: &str, profile: Profile, default: bool) {
        if default || self.default_profile().is_none() {
            self.default = Some(name.to_owned());
        }
        self.profiles.insert(name.to_owned(), profile);
    }

    pub(crate) fn make_default(&mut self, name: &str) -> Result<(), Failure> {
        self.get(name)?;
        self.default = Some(name.to_owned());
        Ok(())
    }

    /// Where the default goes, there is none.
    pub(crate) fn remove(&mut self, name: &str) -> Result<(), Failure> {
        self.get(name)?;
        self.profiles.remove(name);
        self.default.take_if(|default| default == name);
        Ok(())
    }
}

/// `None`: this person has no home.
fn path() -> Option<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    // A relative one is to be ignored, says the XDG base directory specification.
    let xdg = set("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let base = xdg.or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(base.join("wakeline/config.toml"))
}

/// Beside its place and then renamed: another `wakeline` never reads half a file, and nobody else reads any.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let scratch = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&scratch)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&scratch, path)
}

#[cfg(test)]
mod tests;
