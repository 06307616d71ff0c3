//! Who may know whom. A new edge between rooms, or a new library in one, is a decision: it is made here.
use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Complaint;

/// A crate of host/ and the direct dependencies that it may have (tests and build scripts may have more).
struct Room {
    name: &'static str,
    /// Other crates of host/.
    rooms: &'static [&'static str],
    /// Libraries beside [`LEAVES`].
    libraries: &'static [&'static str],
}

/// Small libraries that any room may use, each for its reason.
const LEAVES: &[(&str, &str)] = &[
    ("bytes", "payloads are shared, never copied"),
    ("thiserror", "one error enum per operation"),
    ("serde", "records that travel or are stored"),
    ("tracing", "logging is unconditional"),
    ("itoa", "numbers are written into packets without a formatter"),
    ("base64", "binary packets of a poll; ids"),
];

/// Design: "The house". Rows in the order of the data's way through it.
const HOUSE: &[Room] = &[
    // Values, and nobody's protocol: for those who keep much of a session.
    Room {
        name: "wakeline-compact",
        rooms: &[],
        libraries: &[],
    },
    Room {
        name: "wakeline-engineio",
        rooms: &["wakeline-compact"],
        libraries: &["serde_json"],
    },
    Room {
        name: "wakeline-socketio",
        rooms: &["wakeline-compact", "wakeline-engineio"],
        libraries: &["serde_json"],
    },
    Room {
        name: "wakeline-router",
        rooms: &["wakeline-compact", "wakeline-socketio"],
        libraries: &["postcard"],
    },
    Room {
        name: "wakeline-backplane",
        rooms: &["wakeline-router"],
        libraries: &[
            "fjall",
            "futures-util",
            "getrandom",
            "parking_lot",
            "postcard",
            "sha2",
            "tokio",
        ],
    },
    Room {
        name: "wakeline-backplane-nats",
        rooms: &["wakeline-router", "wakeline-backplane"],
        libraries: &[
            "async-nats",
            "futures-util",
            "getrandom",
            "parking_lot",
            "postcard",
            "serde_json",
            "sha2",
            "tokio",
        ],
    },
    // Knows tokens and keys, and nobody: session asks it through the server.
    Room {
        name: "wakeline-auth",
        rooms: &[],
        libraries: &[
            "futures-util",
            "parking_lot",
            // The cryptography; in the house already for TLS.
            "ring",
            "serde_json",
            "tokio",
        ],
    },
    Room {
        name: "wakeline-session",
        rooms: &[
            "wakeline-compact",
            "wakeline-engineio",
            "wakeline-socketio",
            "wakeline-router",
            "wakeline-backplane",
        ],
        libraries: &[
            "futures-util",
            "getrandom",
            "parking_lot",
            "postcard",
            // Apps' names are hashed several times an event.
            "rustc-hash",
            "serde_json",
            "slotmap",
            "tokio",
        ],
    },
    Room {
        name: "wakeline-transport",
        rooms: &["wakeline-engineio", "wakeline-session"],
        libraries: &[
            "flate2",
            "futures-util",
            "getrandom",
            // Requests between nodes are sealed with the cluster's key.
            "hmac",
            "http",
            "http-body-util",
            // The parser that hyper has: for WebSockets that a connection's first request opens.
            "httparse",
            "hyper",
            "hyper-tungstenite",
            "hyper-util",
            "parking_lot",
            "rustls",
            "sha2",
            "tokio",
            "tokio-rustls",
        ],
    },
    Room {
        name: "wakeline-runtime",
        rooms: &["wakeline-router", "wakeline-socketio"],
        libraries: &[
            "futures-util",
            "http",
            "http-body-util",
            // For the bodies of outgoing requests; no listener, no connection of its own.
            "hyper",
            "parking_lot",
            "serde_json",
            "sha2",
            "tokio",
            "wasmtime",
            "wasmtime-wasi",
            "wasmtime-wasi-http",
        ],
    },
    Room {
        name: "wakeline-platform",
        rooms: &["wakeline-backplane"],
        libraries: &[
            // Bundles of assets arrive as tar, mostly compressed.
            "flate2",
            "futures-util",
            "getrandom",
            "parking_lot",
            // Secrets are sealed; rustls brings it.
            "ring",
            "serde_json",
            "sha2",
            "tar",
            "tokio",
            "toml",
        ],
    },
    // Where all rooms meet; it may know them all, and what it needs to serve.
    Room {
        name: "wakeline-server",
        rooms: &[
            "wakeline-auth",
            "wakeline-engineio",
            "wakeline-socketio",
            "wakeline-router",
            "wakeline-backplane",
            "wakeline-backplane-nats",
            "wakeline-session",
            "wakeline-transport",
            "wakeline-runtime",
            "wakeline-platform",
        ],
        libraries: &[
            "futures-util",
            "getrandom",
            "http",
            "http-body-util",
            "hyper",
            "hyper-util",
            "parking_lot",
            // Keys of issuers are fetched over TLS.
            "rustls",
            "tokio-rustls",
            "webpki-roots",
            "serde_json",
            "sha2",
            "socket2",
            "tokio",
            "toml",
        ],
    },
    Room {
        name: "wakeline",
        rooms: &["wakeline-server", "wakeline-platform"],
        libraries: &[
            "clap",
            "clap_complete",
            // Assets are compressed on their way.
            "flate2",
            // How many arenas its allocator has.
            "libc",
            // Not used: its features make `-p wakeline` and `--workspace` build wasmtime alike.
            "memchr",
            "notify",
            "regex-syntax",
            // Tokens are typed without an echo.
            "rpassword",
            // A host's certificate may be of an authority of the house.
            "rustls-native-certs",
            "serde_json",
            // Names that were nearly right.
            "strsim",
            // An app's assets travel as one archive.
            "tar",
            "tokio",
            // The file of profiles.
            "toml",
            // The log is written beside the cores, not on them.
            "tracing-appender",
            "tracing-subscriber",
            // Commands that speak to a host: blocking, one request at a time.
            "ureq",
        ],
    },
];

/// Compares with what `cargo metadata --no-deps` says.
pub(super) fn check(metadata: &str) -> Result<Vec<Complaint>> {
    let metadata: Value = serde_json::from_str(metadata).context("cargo metadata")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata has no packages")?;
    let mut complaints = Vec::new();
    for package in packages {
        let name = package["name"].as_str().context("a package without a name")?;
        if !package["manifest_path"]
            .as_str()
            .is_some_and(|path| path.contains("/host/"))
        {
            continue;
        }
        let Some(room) = HOUSE.iter().find(|room| room.name == name) else {
            complaints.push(format!(
                "host/: {name} is not in the table of rooms (tests/xtask/src/tidy/rooms.rs)"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let normal = dependency["kind"].is_null();
            let on = dependency["name"].as_str().unwrap_or_default();
            if normal && !room.may_know(on) {
                complaints.push(format!("{name} must not depend on {on}: see the table of rooms"));
            }
        }
    }
    Ok(complaints)
}

impl Room {
    fn may_know(&self, name: &str) -> bool {
        self.rooms.contains(&name)
            || self.libraries.contains(&name)
            || LEAVES.iter().any(|(leaf, _)| *leaf == name)
    }
}
