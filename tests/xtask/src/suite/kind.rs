//! What sort of test a test is, by where it stands.
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Format,
    Tidy,
    Lint,
    Unit,
    Property,
    Simulation,
    WebSocketOnly,
    PollingOnly,
    Upgrade,
    Python,
    PlainWebSocket,
    Chromium,
    Cluster,
    Wire,
    Suites,
    CommandLine,
    Integration,
    Guest,
    Docs,
    Guard,
}

impl Kind {
    /// The kind of a test of the host's workspace.
    pub(crate) fn of(package: &str, test: &str) -> Self {
        match package {
            "it" => Self::of_integration(test),
            "sim" => Self::Simulation,
            "xtask" => Self::Tidy,
            _ if test.contains("prop") => Self::Property,
            _ => Self::Unit,
        }
    }

    /// In tests/it, a test's module says by what client it is driven.
    fn of_integration(test: &str) -> Self {
        let has = |module: &str| test.split("::").any(|segment| segment == module);
        let modules = [
            ("python_socketio", Self::Python),
            ("websocket_only", Self::WebSocketOnly),
            ("polling_only", Self::PollingOnly),
            ("upgrade", Self::Upgrade),
            ("plain_websocket", Self::PlainWebSocket),
            ("chromium", Self::Chromium),
            ("cluster", Self::Cluster),
            ("wire", Self::Wire),
            ("suites", Self::Suites),
            ("command_line", Self::CommandLine),
        ];
        modules
            .iter()
            .find(|(module, _)| has(module))
            .map_or(Self::Integration, |(_, kind)| *kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Format => "formatting",
            Self::Tidy => "house rules",
            Self::Lint => "lints",
            Self::Unit => "unit",
            Self::Property => "property",
            Self::Simulation => "simulation",
            Self::WebSocketOnly => "socket.io-client, websocket only",
            Self::PollingOnly => "socket.io-client, polling only",
            Self::Upgrade => "socket.io-client, upgrade",
            Self::Python => "python-socketio",
            Self::PlainWebSocket => "plain WebSocket",
            Self::Chromium => "chromium",
            Self::Cluster => "many nodes",
            Self::Wire => "bytes on the wire",
            Self::Suites => "protocol suites",
            Self::CommandLine => "command line",
            Self::Integration => "integration, other",
            Self::Guest => "guests",
            Self::Docs => "docs",
            Self::Guard => "guard",
        })
    }
}
