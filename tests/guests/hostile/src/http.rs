use wasip2::http::{
    outgoing_handler,
    types::{ErrorCode, Fields, OutgoingRequest, Scheme},
};

use crate::{
    reply,
    wakeline::app::types::{Error, Socket},
};

/// GETs `http://authority/path` and says what came back.
pub fn run(socket: &Socket, authority: &str, path: &str) -> Result<(), Error> {
    let said = get(authority, path).unwrap_or_else(|error| format!("{error:?}"));
    reply(socket, &said)
}

fn get(authority: &str, path: &str) -> Result<String, ErrorCode> {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).unwrap();
    request.set_authority(Some(authority)).unwrap();
    request.set_path_with_query(Some(path)).unwrap();
    let answer = outgoing_handler::handle(request, None)?;
    answer.subscribe().block();
    let response = answer.get().unwrap().unwrap()?;
    let body = response.consume().unwrap();
    let stream = body.stream().unwrap();
    let mut bytes = Vec::new();
    while let Ok(more) = stream.blocking_read(65_536) {
        bytes.extend(more);
    }
    Ok(format!("{} {} bytes", response.status(), bytes.len()))
}
