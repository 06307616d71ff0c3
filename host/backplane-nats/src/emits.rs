use async_nats::{Client, Subject};
use backplane::Error;
use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};

use crate::link::Link;

/// An event that a client of NATS, no node, published on `{prefix}.emit.{app}`.
pub struct Emit {
    /// What follows `{prefix}.emit.` in the subject, dots included. Not checked: it comes from outside.
    pub app: String,
    pub payload: Bytes,
    reply: Option<Subject>,
    client: Client,
}

impl Emit {
    /// Whether the publisher waits for an answer.
    pub fn wants_answer(&self) -> bool {
        self.reply.is_some()
    }

    /// Answers whoever asked by request; nothing is sent if nobody did. `Unavailable`: the answer is lost.
    pub async fn answer(self, body: Bytes) -> Result<(), Error> {
        let Some(reply) = self.reply else { return Ok(()) };
        let sent = self.client.publish(reply, body).await;
        sent.map_err(|error| Error::Unavailable(error.to_string()))
    }
}

/// Each event to one node: all nodes are one queue group.
pub(crate) async fn emits(link: &Link) -> Result<BoxStream<'static, Emit>, Error> {
    let (client, names) = (link.control.clone(), link.names.clone());
    let subscribed = client.queue_subscribe(names.emits(), "wakeline".to_owned()).await;
    let messages = subscribed.map_err(|error| Error::Unavailable(error.to_string()))?;
    let emits = messages.filter_map(move |message| {
        let emit = names.emit_app(&message.subject).map(|app| Emit {
            app: app.to_owned(),
            payload: message.payload.clone(),
            reply: message.reply.clone(),
            client: client.clone(),
        });
        std::future::ready(emit)
    });
    Ok(Box::pin(emits))
}
