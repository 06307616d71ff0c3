use std::{fs, path::Path};

use platform::Ceilings;

use crate::ConfigError;

/// Where settings come from: the command line, the environment, a file. Behind a trait, so that a test needs neither.
pub trait Strings {
    /// `name` as in the file: `admin_token_file`.
    fn get(&self, name: &str) -> Option<String>;

    /// The name as a person writes it there: `--admin-token-file`, `WAKELINE_ADMIN_TOKEN_FILE`.
    fn spell(&self, name: &str) -> String;
}

/// The process's environment.
pub struct Env;

impl Strings for Env {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(self.spell(name))
            .ok()
            .filter(|value| !value.is_empty())
    }

    fn spell(&self, name: &str) -> String {
        format!("WAKELINE_{}", name.to_ascii_uppercase())
    }
}

/// The operator's file: settings at the top, `[ceilings]` below.
#[derive(Debug)]
pub struct File {
    name: String,
    table: toml::Table,
}

impl File {
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let unreadable = |reason: String| ConfigError {
            place: name.clone(),
            problem: reason,
        };
        let text =
            fs::read_to_string(path).map_err(|error| unreadable(format!("cannot be read: {error}")))?;
        Self::parse(&name, &text)
    }

    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        let wrong = |problem: String| ConfigError {
            place: name.to_owned(),
            problem,
        };
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        let known = |key: &String| crate::config::SETTINGS.contains(&key.as_str()) || key == "ceilings";
        if let Some(unknown) = table.keys().find(|key| !known(key)) {
            let settings = crate::config::SETTINGS.join(", ");
            return Err(wrong(format!(
                "there is no setting {unknown:?}; there are: {settings} and [ceilings]"
            )));
        }
        Ok(Self {
            name: name.to_owned(),
            table,
        })
    }

    /// `[ceilings]`: keys of the manifest's reference, in quotes, with the highest value that any app may have.
    pub fn ceilings(&self) -> Result<Ceilings, ConfigError> {
        let wrong = |problem: String| ConfigError {
            place: format!("{}: ceilings", self.name),
            problem,
        };
        let Some(value) = self.table.get("ceilings") else {
            return Ok(Ceilings::none());
        };
        let table = value
            .as_table()
            .ok_or_else(|| wrong("expected a section".to_owned()))?;
        let mut ceilings = Ceilings::none();
        for (path, value) in table {
            let max = value.as_integer().and_then(|max| u64::try_from(max).ok());
            let max = max.ok_or_else(|| {
                wrong(format!(
                    "expected lines such as `\"limits.memory_bytes\" = 33554432`, found {path} = {value}"
                ))
            })?;
            ceilings = ceilings
                .with(path, max)
                .map_err(|error| wrong(error.to_string()))?;
        }
        Ok(ceilings)
    }
}

impl Strings for File {
    fn get(&self, name: &str) -> Option<String> {
        match self.table.get(name)? {
            toml::Value::String(text) => Some(text.clone()),
            toml::Value::Array(items) => {
                let texts = items
                    .iter()
                    .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
                Some(texts.collect::<Vec<_>>().join(","))
            }
            other => Some(other.to_string()),
        }
    }

    fn spell(&self, name: &str) -> String {
        format!("{}: {name}", self.name)
    }
}
