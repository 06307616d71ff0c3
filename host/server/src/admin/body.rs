use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

use super::reply::{Denied, error};

/// From the first byte to the last, for a body that is read at once.
const SMALL_WITHIN: Duration = Duration::from_secs(30);
/// The same for components and files: 64 MiB take this long at 2 Mbit/s.
const LARGE_WITHIN: Duration = Duration::from_secs(300);
/// Between two pieces of it.
const STILL_MAX: Duration = Duration::from_secs(20);

pub(super) async fn small(body: Incoming, bytes_max: usize) -> Result<Bytes, Denied> {
    read(body, bytes_max, SMALL_WITHIN).await
}

pub(super) async fn large(body: Incoming, bytes_max: usize) -> Result<Bytes, Denied> {
    read(body, bytes_max, LARGE_WITHIN).await
}

async fn read(mut body: Incoming, bytes_max: usize, within: Duration) -> Result<Bytes, Denied> {
    // Said before it is sent, where the length is told.
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    let deadline = tokio::time::Instant::now() + within;
    let mut whole = BytesMut::new();
    loop {
        let wait = deadline.min(tokio::time::Instant::now() + STILL_MAX);
        let frame = match tokio::time::timeout_at(wait, body.frame()).await {
            Err(_) => {
                let message = "the body did not arrive in time";
                return Err(error(StatusCode::REQUEST_TIMEOUT, "timeout", message));
            }
            Ok(None) => return Ok(whole.freeze()),
            Ok(Some(Err(cause))) => {
                let message = format!("the body did not arrive whole: {cause}");
                return Err(error(StatusCode::BAD_REQUEST, "body", &message));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        whole.extend_from_slice(&data);
    }
}

fn too_large(bytes_max: usize) -> Denied {
    let message = format!("the body has more than {bytes_max} bytes");
    error(StatusCode::PAYLOAD_TOO_LARGE, "body", &message)
}
