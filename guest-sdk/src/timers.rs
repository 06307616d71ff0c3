//! Timers of the app, which outlive the call that sets them, and the instance, and the node.
//!
//! ```
//! use std::time::Duration;
//! use wakeline_sdk::{prelude::*, timers};
//!
//! struct Game;
//!
//! #[wakeline_sdk::handler]
//! impl Game {
//!     #[on("start")]
//!     fn start(room: String) -> Result<()> {
//!         timers::set("round", Duration::from_secs(30), &room)
//!     }
//!
//!     #[timer("round")]
//!     fn round_is_over(room: String) -> Result<()> {
//!         io().to(room).emit("round over", ())
//!     }
//! }
//!
//! let app = wakeline_sdk::test::TestApp::new::<Game>();
//! app.connect("/")?.emit("start", "red")?;
//! app.fire_timer("round")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::{Result, host};

/// Has the function with `#[timer("name")]` ([`Handler::timer`](crate::Handler::timer)) called after `delay` (at
/// most 49 days), at least once, with `payload` (at most 16 KiB of JSON). There is one timer of each name: setting
/// it again replaces it.
pub fn set<T: Serialize + ?Sized>(name: &str, delay: Duration, payload: &T) -> Result<()> {
    host::timer_set(name, delay, &serde_json::to_vec(payload)?)
}

/// Cancels a timer. It is not an error if there is none of that name.
pub fn cancel(name: &str) -> Result<()> {
    host::timer_cancel(name)
}

/// A timer that ran out.
#[derive(Clone, Debug)]
pub struct Timer {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) payload: Vec<u8>,
}

impl Timer {
    /// The name that it was set with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names this setting of the timer: the same if the handler runs again (it runs at least once), another once it was
    /// set anew.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The payload that it was set with.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.payload)?)
    }
}
