//! Which host a command speaks to, and with whose token.
mod url;

use std::{fs, path::PathBuf};

pub(crate) use self::url::HostUrl;
use crate::{
    cli,
    failure::{Failure, Kind},
    profiles::{Profile, Profiles},
};

/// Where to, and what to show there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) url: HostUrl,
    /// `None`: nothing was found; the host will say what it thinks of that.
    pub(crate) token: Option<Token>,
    /// Nobody named a host: this machine's is meant.
    pub(crate) assumed: bool,
}

/// Not shown in any message.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

/// Variables, read once.
#[derive(Default)]
pub(crate) struct Environment {
    host: Option<String>,
    profile: Option<String>,
    token: Option<String>,
}

const DEFAULT_HOST: &str = "http://127.0.0.1:3001";
/// Where `wakeline serve` makes the operators' token, from the folder that it is started in.
const LOCAL_TOKEN: &str = "wakeline-data/admin-token";

impl Access {
    /// By options, variables and the file of profiles.
    pub(crate) fn find(host: &cli::Host) -> Result<Self, Failure> {
        Self::choose(host, &Environment::read(), &Profiles::load()?)
    }

    fn choose(host: &cli::Host, environment: &Environment, profiles: &Profiles) -> Result<Self, Failure> {
        let place = Place::choose(host, environment, profiles)?;
        let url = place.url()?;
        let token = match &host.token_file {
            Some(file) => Some(Token::read(file)?),
            None => place.token(environment, profiles, &url)?,
        };
        Ok(Self {
            url,
            token,
            assumed: matches!(place, Place::Assumed),
        })
    }
}

/// What named the host.
enum Place<'a> {
    Address {
        text: &'a str,
        named_by: &'static str,
    },
    /// `explicit`: by an option, which wins over a variable's token.
    Profile {
        profile: &'a Profile,
        explicit: bool,
    },
    Assumed,
}

impl<'a> Place<'a> {
    fn choose(
        host: &'a cli::Host,
        environment: &'a Environment,
        profiles: &'a Profiles,
    ) -> Result<Self, Failure> {
        if let Some(text) = &host.host {
            return Ok(Self::Address {
                text,
                named_by: "--host",
            });
        }
        if let Some(name) = &host.profile {
            return Ok(Self::Profile {
                profile: profiles.get(name)?,
                explicit: true,
            });
        }
        if let Some(text) = &environment.host {
            return Ok(Self::Address {
                text,
                named_by: "WAKELINE_HOST",
            });
        }
        let profile = match &environment.profile {
            Some(name) => Some(profiles.get(name)?),
            None => profiles.default_profile(),
        };
        Ok(profile.map_or(Self::Assumed, |profile| Self::Profile {
            profile,
            explicit: false,
        }))
    }

    fn url(&self) -> Result<HostUrl, Failure> {
        let (text, named_by) = match self {
            Self::Address { text, named_by } => (*text, *named_by),
            Self::Profile { profile, .. } => (profile.host.as_str(), "the profile's host"),
            Self::Assumed => (DEFAULT_HOST, ""),
        };
        HostUrl::parse(text).map_err(|expected| {
            Failure::new(
                Kind::Usage,
                format!("{named_by}: expected {expected}, found {text:?}"),
            )
        })
    }

    fn token(
        &self,
        environment: &Environment,
        profiles: &Profiles,
        url: &HostUrl,
    ) -> Result<Option<Token>, Failure> {
        if let Self::Profile {
            profile,
            explicit: true,
        } = self
        {
            return Token::new(&profile.token, "the profile's token").map(Some);
        }
        if let Some(token) = &environment.token {
            return Token::new(token, "WAKELINE_TOKEN").map(Some);
        }
        match self {
            Self::Profile { profile, .. } => Token::new(&profile.token, "the profile's token").map(Some),
            Self::Address { .. } | Self::Assumed => {
                // Never another host's: whoever can make somebody type an address must not get a token by it.
                let kept = profiles.of_host(url).map(|profile| &profile.token);
                match kept {
                    Some(token) => Token::new(token, "the profile's token").map(Some),
                    None if url.is_loopback() => Token::local(),
                    None => Ok(None),
                }
            }
        }
    }
}

impl Token {
    /// `place` is said where `text` cannot be a token.
    pub(crate) fn new(text: &str, place: &str) -> Result<Self, Failure> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::new(
                Kind::Usage,
                format!("{place}: a token is one word of ASCII, such as wko_…"),
            ));
        }
        Ok(Self(text.to_owned()))
    }

    fn read(file: &PathBuf) -> Result<Self, Failure> {
        let text = fs::read_to_string(file).map_err(|error| {
            Failure::new(
                Kind::Missing,
                format!("--token-file: cannot read {}: {error}", file.display()),
            )
        })?;
        Self::new(&text, &format!("--token-file {}", file.display()))
    }

    /// That of a host that was started in this folder, if one was.
    fn local() -> Result<Option<Self>, Failure> {
        match fs::read_to_string(LOCAL_TOKEN) {
            Ok(text) => Self::new(&text, LOCAL_TOKEN).map(Some),
            Err(_) => Ok(None),
        }
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Environment {
    fn read() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            host: set("WAKELINE_HOST"),
            profile: set("WAKELINE_PROFILE"),
            token: set("WAKELINE_TOKEN"),
        }
    }
}

#[cfg(test)]
mod tests;
