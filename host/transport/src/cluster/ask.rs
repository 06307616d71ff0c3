//! Questions between nodes, as `POST /wakeline/ask`.
use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use session::{Node, Unreachable, Wire};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    Peering,
    links::Links,
    seal::{DIGEST, Sent, Unsealed, describe, hex, seal, unauthorised},
};
use crate::{
    forwarded::Provenance,
    polling::{BodyError, read},
    respond::{Answer, answer as plain, error, typed},
    service::Client,
};

/// Brings questions to other nodes' listeners. From any thread with a tokio runtime.
pub struct PeerWire {
    peering: Arc<Peering>,
    /// Apart from those that carry polls: a long answer keeps no client waiting.
    links: Arc<Links>,
}

impl PeerWire {
    pub fn new(peering: Arc<Peering>) -> Self {
        Self {
            peering,
            links: Arc::default(),
        }
    }

    fn request(&self, node: &Node, question: Bytes) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut headers = HeaderMap::new();
        describe(&mut headers, &nobody(), "");
        let digest = hex(&Sha256::digest(&question));
        headers.insert(DIGEST, HeaderValue::from_str(&digest)?);
        seal(&self.peering.key, &Method::POST, ASK_PATH, &mut headers);
        let mut request =
            Request::post(format!("http://{}{ASK_PATH}", node.address)).body(Full::new(question))?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl Wire for PeerWire {
    fn ask(&self, node: Arc<Node>, question: Bytes) -> BoxFuture<'static, Result<Bytes, Unreachable>> {
        let is_small = question.len() <= QUESTION_BYTES_MAX;
        let request = self.request(&node, question);
        let links = Arc::clone(&self.links);
        Box::pin(async move {
            let unreachable = |reason: String| Unreachable {
                node: node.name.clone(),
                reason,
            };
            if !is_small {
                return Err(unreachable(format!(
                    "the question is larger than {QUESTION_BYTES_MAX} bytes"
                )));
            }
            let request = request.map_err(|error| unreachable(format!("its address is none ({error})")))?;
            let asked = timeout(ANSWER_TIMEOUT, links.exchange(&node, request, ANSWER_BYTES_MAX)).await;
            let answered = asked.map_err(|_| unreachable(format!("no answer within {ANSWER_TIMEOUT:?}")))?;
            let response = answered.map_err(|missed| unreachable(missed.to_string()))?;
            match response.status() {
                StatusCode::OK => Ok(response.into_body()),
                status => Err(unreachable(format!("it answered {status}"))),
            }
        })
    }
}

/// Answers another node's question.
pub(crate) async fn answer(client: &Client, sent: &Sent, request: Request<Incoming>) -> Answer {
    if request.method() != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    let deadline = Instant::now() + client.site.config.body_read_timeout;
    let mut body = request.into_body();
    let question = match timeout_at(deadline, read(&mut body, QUESTION_BYTES_MAX)).await {
        Ok(Ok(question)) => question,
        Ok(Err(BodyError::TooLarge)) => return plain(StatusCode::PAYLOAD_TOO_LARGE, ""),
        Ok(Err(BodyError::Gone)) | Err(_) => return plain(StatusCode::BAD_REQUEST, ""),
    };
    let digest = hex(&Sha256::digest(&question));
    if sent.digest.as_ref().is_none_or(|sealed| *sealed != *digest) {
        return unauthorised(Unsealed::Forged);
    }
    let answer = client.site.hub.shards().answer(&question).await;
    if answer.len() > ANSWER_BYTES_MAX {
        return error(
            StatusCode::INSUFFICIENT_STORAGE,
            "too_large",
            "the answer is too large",
        );
    }
    typed(StatusCode::OK, "application/octet-stream", answer)
}

/// A question is from a node.
fn nobody() -> Provenance {
    Provenance {
        address: std::net::Ipv4Addr::UNSPECIFIED.into(),
        host: None,
        secure: None,
    }
}

pub(crate) const ASK_PATH: &str = "/wakeline/ask";
const QUESTION_BYTES_MAX: usize = 1 << 20;
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// As [`Wire::ask`] promises.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
