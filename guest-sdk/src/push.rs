use std::fmt;

use serde::de::DeserializeOwned;

use crate::Result;

/// Something that a backend sent to the app, not to a client: `POST /v1/apps/{app}/push`, `wakeline push APP --topic …`.
///
/// It is taken by the function with `#[push("topic")]`, or the one with `#[push]` for all other topics
/// ([`Handler::push`](crate::Handler::push)). There is no socket: emit to rooms. The backend is answered when that has
/// happened, or told the error that the function returns.
///
/// ```
/// use wakeline_sdk::prelude::*;
///
/// struct Shop;
///
/// #[derive(Deserialize)]
/// struct Order { id: u32, customer: String }
///
/// #[wakeline_sdk::handler]
/// impl Shop {
///     #[push("order shipped")]
///     fn shipped(order: Order) -> Result<()> {
///         io().to(order.customer).emit("shipped", order.id)
///     }
/// #   #[connect]
/// #   fn hello(socket: &Socket) -> Result<()> { socket.join("ann") }
/// }
///
/// let app = wakeline_sdk::test::TestApp::new::<Shop>();
/// let ann = app.connect("/")?;
/// app.push("order shipped", &json!({ "id": 7, "customer": "ann" }))?;
/// assert_eq!(ann.received(), [("shipped", json!([7]))]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Push {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

impl Push {
    /// What it is about, in the backend's words.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The payload, read as JSON.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.payload)?)
    }

    /// The payload as it was sent: for what is not JSON (`payload_base64`).
    pub fn bytes(&self) -> &[u8] {
        &self.payload
    }
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Push({:?}, {} bytes)", self.topic, self.payload.len())
    }
}
