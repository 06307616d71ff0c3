//! Tests of handlers, natively: `cargo test`, no host, no Wasm.
//!
//! A [`TestApp`] calls the handler as a host would: a call's effects happen when it returns `Ok`, and nothing of it
//! happens when it fails. A [`TestSocket`] is a client.
//!
//! ```
//! use wakeline_sdk::{prelude::*, test::TestApp};
//!
//! struct Chat;
//!
//! #[wakeline_sdk::handler]
//! impl Chat {
//!     #[connect]
//!     fn hello(socket: &Socket) -> Result<()> {
//!         socket.join("lobby")
//!     }
//!
//!     #[on("say")]
//!     fn say(socket: &Socket, text: String) -> Result<usize> {
//!         socket.to("lobby").emit("say", &text)?;
//!         Ok(text.len())
//!     }
//! }
//!
//! let app = TestApp::new::<Chat>();
//! let ann = app.connect("/")?;
//! let bob = app.connect("/")?;
//! assert_eq!(ann.emit_with_ack("say", "hi")?, json!([2]));
//! assert_eq!(bob.received(), [("say", json!(["hi"]))]);
//! assert!(ann.received().is_empty());
//! assert_eq!(ann.emit("say", 5).unwrap_err().to_string(),
//!     "event \"say\": argument 1 (`text`): invalid type: integer `5`, expected a string at line 1 column 1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
mod socket;
pub(crate) mod world;

use std::{cell::RefCell, rc::Rc, time::Duration};

pub use socket::{Received, TestSocket};
use world::{Calls, World};

use serde::Serialize;

use crate::{Error, Handler, Handshake, Push, Refusal, Result, kv, log::Level, timers::Timer};

/// An app with a handler `H`, its sockets, its key-value store, timers and log, all in memory.
pub struct TestApp {
    world: Rc<RefCell<World>>,
    calls: Calls,
}

impl TestApp {
    /// An app without clients.
    pub fn new<H: Handler>() -> Self {
        let calls = Calls {
            connect: H::connect,
            event: H::event,
            disconnect: H::disconnect,
            ack: H::ack,
            timer: H::timer,
            push: H::push,
            migrate: H::migrate,
        };
        Self {
            world: Rc::default(),
            calls,
        }
    }

    /// A client that joins `namespace` without credentials.
    pub fn connect(&self, namespace: &str) -> Result<TestSocket, Refusal> {
        self.connect_with(&Handshake {
            namespace: namespace.to_owned(),
            ..Handshake::default()
        })
    }

    /// A client that joins `namespace` with an `auth` payload.
    pub fn connect_with_auth(
        &self,
        namespace: &str,
        auth: &serde_json::Value,
    ) -> Result<TestSocket, Refusal> {
        let namespace = namespace.to_owned();
        self.connect_with(&Handshake {
            namespace,
            auth: Some(auth.to_string()),
            ..Handshake::default()
        })
    }

    /// A client that joins a namespace with the handshake given.
    ///
    /// ```
    /// # use wakeline_sdk::{prelude::*, test::TestApp};
    /// # struct Echo;
    /// # impl Handler for Echo { fn event(_: &Socket, _: Event) -> Result<()> { Ok(()) } }
    /// let mut handshake = Handshake::default();
    /// handshake.namespace = "/".to_owned();
    /// handshake.headers = vec![("cookie".to_owned(), "session=1".to_owned())];
    /// TestApp::new::<Echo>().connect_with(&handshake)?;
    /// # Ok::<(), Refusal>(())
    /// ```
    pub fn connect_with(&self, handshake: &Handshake) -> Result<TestSocket, Refusal> {
        TestSocket::open(self.world.clone(), self.calls, handshake)
    }

    /// Sets a value of the app's configuration.
    pub fn set_config(&self, key: &str, value: &str) {
        self.world
            .borrow_mut()
            .config
            .insert(key.to_owned(), value.to_owned());
    }

    /// Runs code outside of a handler that uses [`kv`]: `app.with_kv(|| kv::get::<u32>("count"))`.
    pub fn with_kv<R>(&self, use_kv: impl FnOnce() -> R) -> R {
        world::enter(&self.world, use_kv)
    }

    /// Timers that are set, with their delays, by name.
    pub fn timers(&self) -> Vec<(String, Duration)> {
        let world = self.world.borrow();
        world
            .timers
            .iter()
            .map(|(name, (delay, _))| (name.clone(), *delay))
            .collect()
    }

    /// Has a timer run out now.
    pub fn fire_timer(&self, name: &str) -> Result<()> {
        let timer = self.world.borrow_mut().timers.remove(name);
        let (_, payload) = timer.ok_or(Error::NotFound)?;
        let timer = Timer {
            name: name.to_owned(),
            id: "1".to_owned(),
            payload,
        };
        world::call(&self.world, None, None, || (self.calls.timer)(timer)).map(|_| ())
    }

    /// A backend pushes `payload`, as JSON. The handler's error, if it returns one.
    pub fn push<T: Serialize + ?Sized>(&self, topic: &str, payload: &T) -> Result<()> {
        self.push_bytes(topic, &serde_json::to_vec(payload)?)
    }

    /// A backend pushes bytes.
    pub fn push_bytes(&self, topic: &str, payload: &[u8]) -> Result<()> {
        let push = Push {
            topic: topic.to_owned(),
            payload: payload.to_owned(),
        };
        world::call(&self.world, None, None, || (self.calls.push)(push)).map(|_| ())
    }

    /// What has been logged.
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.world.borrow().logs.clone()
    }

    /// What is stored under `key`, as [`kv::get`] reads it.
    pub fn kv<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.with_kv(|| kv::get(key))
    }
}
