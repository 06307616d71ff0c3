use std::collections::BTreeMap;

use crate::keys::{KEYS, Kind};

/// What an operator allows any app of a server to ask for: the highest value of keys that are numbers. Where a
/// manifest is silent, a ceiling below the default takes the default's place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ceilings {
    highest: BTreeMap<&'static str, u64>,
    /// What is above a ceiling is brought down to it rather than refused.
    holds: bool,
}

/// No number of the manifest has this name. The operator is at fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no number of the manifest is called {0:?}")]
pub struct UnknownCeiling(pub String);

impl Ceilings {
    /// Nothing beyond the bounds that the reference gives.
    pub fn none() -> Self {
        Self::default()
    }

    /// `path` as in the reference: `limits.memory_bytes`.
    pub fn with(mut self, path: &str, max: u64) -> Result<Self, UnknownCeiling> {
        let key = KEYS
            .iter()
            .find(|key| key.path == path && matches!(key.kind, Kind::Integer { .. }));
        let Some(key) = key else {
            return Err(UnknownCeiling(path.to_owned()));
        };
        self.highest.insert(key.path, max);
        Ok(self)
    }

    /// The same for manifests that were taken before: what is above a ceiling now is brought down to it.
    #[must_use]
    pub fn holding(&self) -> Self {
        Self {
            highest: self.highest.clone(),
            holds: true,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Option<u64> {
        self.highest.get(path).copied()
    }

    pub(crate) fn holds(&self) -> bool {
        self.holds
    }
}
