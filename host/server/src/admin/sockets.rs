use http::StatusCode;
use router::Target;
use serde_json::{Value, json};

use super::{
    Admin, Asked,
    apps::{parameter, set},
    reply::{self, Outcome},
};

/// Of a namespace, a room or a cursor: none is longer.
const NAME_BYTES_MAX: usize = 512;

impl Admin {
    /// `GET /v1/apps/{app}/sockets`: a page of at most 1,000.
    pub(super) async fn sockets(&self, asked: Asked<'_>) -> Outcome {
        let parameters = asked.parameters(&["namespace", "room", "cursor"])?;
        if parameters.iter().any(|(_, value)| value.len() > NAME_BYTES_MAX) {
            return Err(reply::invalid(&format!(
                "a name has at most {NAME_BYTES_MAX} bytes"
            )));
        }
        let name = if let Some(tenant) = self.fixed(asked.app) {
            tenant.name.clone()
        } else {
            self.handle.platform().app(asked.app).await?.name.into()
        };
        let target = Target {
            namespace: parameter(&parameters, "namespace").unwrap_or("/").into(),
            rooms: parameter(&parameters, "room")
                .into_iter()
                .map(Into::into)
                .collect(),
            except: Vec::new(),
        };
        let cursor = parameter(&parameters, "cursor").map(str::to_owned);
        let page = self.handle.shards().fetch_sockets(name, target, cursor).await;
        let sockets: Vec<Value> = page
            .sockets
            .iter()
            .map(|socket| json!({ "id": socket.id, "namespace": socket.namespace, "rooms": socket.rooms }))
            .collect();
        let mut answer = json!({ "sockets": sockets, "partial": page.partial });
        set(&mut answer, "cursor", page.cursor);
        Ok(reply::json(StatusCode::OK, &answer))
    }
}
