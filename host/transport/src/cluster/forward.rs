//! A poll, a post or an odd method of a session that lives on another node, and handshakes that a draining node gives away.
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;

use super::{
    Outward, Peering, There,
    headers::end_to_end,
    increment,
    links::Missed,
    seal::{OVERSIZED, describe, seal},
};
use crate::{
    polling::{Taken, Upload, reads_body, take_body},
    request::Asked,
    respond::{Answer, refuse},
    service::{Reply, Visit},
};
use session::Refusal;

/// Has the request answered by its home. Both bodies are read whole before they go on, within the limits that hold at home,
/// too: a slow client holds memory here and nothing there, and a home that dies in mid-answer leaves no half of one.
pub(crate) async fn forward(
    visit: &Visit,
    outward: &Outward,
    request: Request<Incoming>,
    asked: Asked,
    there: &There,
) -> Reply {
    let peering = &*outward.peering;
    let is_poll = *request.method() == Method::GET;
    increment(if is_poll {
        &peering.counters.polls
    } else {
        &peering.counters.posts
    });
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut headers = end_to_end(request.headers());
    let body = if reads_body(asked, &request) {
        match take_body(visit, Upload::new(request)).await {
            Taken::Whole(body) => body,
            Taken::Oversized => {
                headers.insert(OVERSIZED, header::HeaderValue::from_static("1"));
                Bytes::new()
            }
            Taken::Refused(answer) => return Reply::Own(answer),
        }
    } else {
        Bytes::new()
    };
    let Some(request) = sealed(peering, visit, there, method, &uri, headers) else {
        return Reply::Own(refuse(there.missed));
    };
    let request = request.map(|()| Full::new(body));
    match peering
        .links
        .exchange(&there.node, request, ANSWER_BYTES_MAX)
        .await
    {
        Ok(response) => Reply::Passed(passed(response)),
        Err(Missed::Busy) => {
            peering.missed(&there.node, &Missed::Busy);
            Reply::Own(refuse(Refusal::Unavailable))
        }
        Err(missed) => {
            peering.missed(&there.node, &missed);
            Reply::Own(refuse(there.missed))
        }
    }
}

/// The request's head as it goes to the other node. `None`: its address is none.
pub(super) fn sealed(
    peering: &Peering,
    visit: &Visit,
    there: &There,
    method: Method,
    uri: &Uri,
    mut headers: HeaderMap,
) -> Option<Request<()>> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    describe(&mut headers, &visit.at, &visit.app.name);
    seal(&peering.key, &method, target, &mut headers);
    let built = Request::builder()
        .method(method)
        .uri(format!("http://{}{target}", there.node.address))
        .body(());
    match built {
        Ok(mut request) => {
            *request.headers_mut() = headers;
            Some(request)
        }
        Err(error) => {
            peering.missed(&there.node, &Missed::Nowhere(error.to_string()));
            None
        }
    }
}

/// The answer as the client gets it.
pub(super) fn passed(response: Response<Bytes>) -> Answer {
    let (mut head, body) = response.into_parts();
    let length = head.headers.remove(header::CONTENT_LENGTH);
    head.headers = end_to_end(&head.headers);
    if let Some(length) = length {
        // Of an answer to HEAD, it is all that is known of the body.
        head.headers.insert(header::CONTENT_LENGTH, length);
    }
    let mut answer = Answer::new(Full::new(body));
    *answer.status_mut() = head.status;
    *answer.headers_mut() = head.headers;
    answer
}

/// A poll's answer is bounded by its session's queue, where it was made; this bounds what a mistake could cost.
pub(super) const ANSWER_BYTES_MAX: usize = 64 << 20;
