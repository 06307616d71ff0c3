use std::{io, process::ExitCode};

use platform::{LoadError, MANIFEST_FILE};
use serde_json::{Map, Value, json};
use server::{BuildError, ConfigError, ReloadError, RunError};

/// Why a command ended: what is wrong, what to do about it, and whose fault it is (the exit code, after sysexits.h).
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// What the host answered, for whoever reads JSON.
    pub(crate) answer: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The command line, a variable or the operator's file: 64.
    Usage,
    /// The app: its manifest, its build, its component; or what was sent to it: 65.
    App,
    /// There is no such thing on the host, or no such file: 66.
    Missing,
    /// Something outside that is not there or is taken: 69.
    Unavailable,
    /// Our own: 70.
    Bug,
    /// A file that cannot be written: 73.
    Unwritable,
    /// It may go well later: nodes are behind, the host is asked too often: 75.
    Later,
    /// What answers is no wakeline: 76.
    Protocol,
    /// The token: 77.
    Denied,
    /// The file of profiles: 78.
    Profiles,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::App => 65,
            Self::Missing => 66,
            Self::Unavailable => 69,
            Self::Bug => 70,
            Self::Unwritable => 73,
            Self::Later => 75,
            Self::Protocol => 76,
            Self::Denied => 77,
            Self::Profiles => 78,
        }
    }

    /// The code in JSON where no host gave one.
    fn word(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::App => "app",
            Self::Missing => "missing",
            Self::Unavailable => "unavailable",
            Self::Bug => "bug",
            Self::Unwritable => "unwritable",
            Self::Later => "later",
            Self::Protocol => "protocol",
            Self::Denied => "denied",
            Self::Profiles => "profiles",
        }
    }
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            help: None,
            answer: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn answer(mut self, answer: Value) -> Self {
        self.answer = Some(answer);
        self
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.code())
    }

    /// The host's answer if there is one, with `error` in it: the host's own, or one made of the words.
    pub(crate) fn json(&self) -> Value {
        let mut whole = match &self.answer {
            Some(Value::Object(answer)) => answer.clone(),
            _ => Map::new(),
        };
        let error = whole
            .entry("error")
            .or_insert_with(|| json!({ "code": self.kind.word(), "message": self.message }));
        if let (Value::Object(error), Some(help)) = (error, &self.help) {
            error.insert("help".to_owned(), json!(help));
        }
        whole.into()
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        let failure = Self::new(Kind::App, error.to_string());
        match error {
            LoadError::NoFolder(_) => Self { kind: Kind::Usage, ..failure }
                .help("name an app's folder; `wakeline new NAME` makes one"),
            LoadError::NoManifest(_) => Self { kind: Kind::Usage, ..failure }
                .help(format!("`wakeline new NAME` makes an app; for an existing one, add a {MANIFEST_FILE} (it may be empty)")),
            LoadError::Unreadable { .. } => Self { kind: Kind::Unavailable, ..failure },
            LoadError::NoAssets { .. } => failure.help("make the folder, or remove the key"),
            LoadError::Manifest(_) => failure,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Kind::Usage, error.to_string())
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let error = match error {
            BuildError::App(error) => return error.into(),
            error => error,
        };
        let failure = |kind| Self::new(kind, error.to_string());
        match &error {
            BuildError::Listen { addr, source } if source.kind() == io::ErrorKind::AddrInUse => {
                let host = addr.ip();
                failure(Kind::Unavailable).help(format!(
                    "another program listens there, perhaps another `wakeline`: stop it, or take a free port with `--listen {host}:0`"
                ))
            }
            BuildError::Listen { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                failure(Kind::Unavailable).help("ports below 1024 need privileges: take a higher one")
            }
            BuildError::Listen { .. } => {
                failure(Kind::Unavailable).help("is the address one of this machine's?")
            }
            BuildError::App(_) | BuildError::TwoApps { .. } => failure(Kind::App),
            BuildError::NoComponent { .. } => failure(Kind::App).help("`wakeline build DIR` builds it"),
            BuildError::Component { .. } => failure(Kind::App)
                .help("a handler is a component of the world wakeline:app/app; `wakeline new NAME` makes one to compare with"),
            BuildError::Config(_) | BuildError::Tls(_) | BuildError::Token(_) => failure(Kind::Usage),
            BuildError::Data { .. } => failure(Kind::Unavailable)
                .help("is another `wakeline` using the folder? Every node needs its own `--data`"),
            BuildError::Start(_) => failure(Kind::Unavailable),
        }
    }
}

impl From<ReloadError> for Failure {
    fn from(error: ReloadError) -> Self {
        match error {
            ReloadError::Build(error) => error.into(),
            ReloadError::Unknown(_) | ReloadError::Stopped => Self::new(Kind::Bug, error.to_string()),
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::new(Kind::Bug, error.to_string())
            .help("this is a mistake in wakeline itself: please report it with the lines above")
    }
}
