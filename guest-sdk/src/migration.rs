use serde::{Serialize, de::DeserializeOwned};

use crate::Result;

/// A socket's state as another version of the app has written it.
///
/// Sockets outlive deploys, so a new version may find states of the old one's form. Either read both forms (`Option` and
/// `#[serde(default)]` go far), or have a function with `#[migrate]` ([`Handler::migrate`](crate::Handler::migrate)) turn the
/// old form into the new one: it is called once for each such socket, before its next call. If it fails, the state
/// stays and that call fails.
///
/// ```
/// use wakeline_sdk::prelude::*;
///
/// struct Game;
///
/// #[derive(Deserialize)]
/// struct OldPlayer { name: String }
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Player { names: Vec<String> }
///
/// #[wakeline_sdk::handler]
/// impl Game {
///     #[migrate]
///     fn names(old: OldPlayer) -> Result<Player> {
///         Ok(Player { names: vec![old.name] })
///     }
///
///     #[on("names")]
///     fn tell(socket: &Socket) -> Result<Vec<String>> {
///         Ok(socket.state::<Player>()?.names)
///     }
/// }
///
/// let app = wakeline_sdk::test::TestApp::new::<Game>();
/// let ann = app.connect("/")?;
/// ann.migrate(&json!({ "name": "Ann" }), 1)?;
/// assert_eq!(ann.emit_with_ack("names", ())?, json!([["Ann"]]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Migration {
    pub(crate) state: Vec<u8>,
    pub(crate) from_version: u32,
}

impl Migration {
    /// Number of the version that wrote it, as `wakeline versions` shows it. After a rollback a later one than this.
    pub fn from_version(&self) -> u32 {
        self.from_version
    }

    /// The state that [`Socket::set_state`](crate::Socket::set_state) kept, in its old form.
    pub fn state<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.state)?)
    }

    /// The state as it was kept: what [`Handler::migrate`](crate::Handler::migrate) answers if nothing changes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.state
    }
}

/// What `#[migrate]` makes of the function's answer: a state as `set_state` keeps it.
#[doc(hidden)]
pub fn to_state<T: Serialize>(state: &T) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(state)?)
}
