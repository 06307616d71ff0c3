use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Request, Uri, uri::Authority, uri::Scheme};
use http_body_util::{BodyExt, Limited};
use router::{Limit, Trace};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, default_send_request};

use crate::{
    Limits, Quota,
    host::{Host, LineOf, LogLevel},
    reach::{OutOfReach, reach},
};

/// Decides where a guest's HTTP requests may go, and bounds them.
pub(crate) struct HttpHooks {
    host: Arc<dyn Host>,
    quota: Arc<Quota>,
    /// Requests of this call.
    sent: usize,
    sent_max: usize,
    per_second: u32,
    /// Of this call: goes out with its requests.
    trace: Option<Trace>,
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A response's body.
const RESPONSE_BYTES_MAX: usize = 8 << 20;

/// The longest that a request may wait for each of: the connection, the first byte, the next byte. Shorter ones
/// may be asked for; a call's own time-out usually ends before.
const WAIT_MAX: Duration = Duration::from_secs(30);

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(http::Response<WasiBody>, Io), Error>;

impl HttpHooks {
    pub(crate) fn new(host: Arc<dyn Host>, limits: &Limits, quota: Arc<Quota>) -> Self {
        Self {
            host,
            quota,
            sent: 0,
            sent_max: limits.http_requests_per_call,
            per_second: limits.http_requests_per_second,
            trace: None,
        }
    }

    pub(crate) fn begin(&mut self, trace: Option<Trace>) {
        self.sent = 0;
        self.trace = trace;
    }

    /// The `host:port` a request goes to, if the app may send it there.
    fn admit(&mut self, uri: &Uri) -> Result<String, Error> {
        let place = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
        if place.as_str().contains('@') {
            return Err(Error::HttpRequestUriInvalid);
        }
        let port = place
            .port_u16()
            .unwrap_or(if uri.scheme() == Some(&Scheme::HTTPS) {
                443
            } else {
                80
            });
        let place = format!("{}:{port}", place.host().to_ascii_lowercase());
        if !self.host.http_allowed(&place) {
            self.say(&format!(
                "request to {place} refused: it is not in the app's [http] allow list"
            ));
            return Err(Error::HttpRequestDenied);
        }
        self.sent += 1;
        if self.sent > self.sent_max {
            self.quota.hits().bump(Limit::HttpRequestsPerCall);
            let limit = Limit::HttpRequestsPerCall.describe(self.sent_max);
            self.say(&format!("request to {place} refused: {limit}"));
            return Err(Error::ConnectionLimitReached);
        }
        if !self.quota.admit_request(self.per_second) {
            let limit = Limit::HttpRequestsPerSecond.describe(self.per_second);
            self.say(&format!("request to {place} refused: {limit}"));
            return Err(Error::ConnectionLimitReached);
        }
        Ok(place)
    }

    /// A request of a traced call says so, unless the guest has said something itself.
    fn pass_on_trace(&self, request: &mut Request<WasiBody>) {
        let Some(trace) = self.trace else { return };
        let headers = request.headers_mut();
        if let (Ok(value), false) = (
            HeaderValue::from_str(&trace.to_string()),
            headers.contains_key(TRACEPARENT),
        ) {
            headers.insert(TRACEPARENT, value);
        }
    }

    fn say(&self, text: &str) {
        let of = LineOf {
            socket: None,
            trace: self.trace.as_ref(),
        };
        self.host.log(LogLevel::Warn, "wasi:http", text, of);
    }
}

impl WasiHttpHooks for HttpHooks {
    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let place = match self.admit(request.uri()) {
            Ok(place) => place,
            Err(error) => return Box::new(async { Err(error) }),
        };
        self.pass_on_trace(&mut request);
        let (host, trace) = (Arc::clone(&self.host), self.trace);
        Box::new(async move {
            let address = resolve(host.as_ref(), &place, trace.as_ref()).await?;
            if request.uri().scheme() == Some(&Scheme::HTTP) {
                pin_address(&mut request, address)?;
            }
            let (response, io) = default_send_request(request, Some(bounded(options))).await?;
            let response = response.map(|body| {
                let too_big = |_| Error::HttpResponseBodySize(Some(RESPONSE_BYTES_MAX as u64));
                Limited::new(body, RESPONSE_BYTES_MAX)
                    .map_err(too_big)
                    .boxed_unsync()
            });
            Ok((response, Box::new(io) as Io))
        })
    }
}

/// The address of `place`, if the app may reach it.
async fn resolve(host: &dyn Host, place: &str, trace: Option<&Trace>) -> Result<SocketAddr, Error> {
    let found = reach(place, host.http_private_allowed()).await;
    found.map_err(|error| match error {
        OutOfReach::NoName(_) => Error::DnsError {
            rcode: None,
            info_code: None,
        },
        OutOfReach::NoAddress => Error::DestinationNotFound,
        OutOfReach::Private(_) => {
            let text = format!("request to {place} refused: {error}");
            let of = LineOf { socket: None, trace };
            host.log(LogLevel::Warn, "wasi:http", &text, of);
            Error::DestinationIpProhibited
        }
    })
}

/// Connects to the address that was checked, so that a second look-up cannot give another one. The `Host` header is
/// set already. Requests over TLS keep the name, which the certificate is checked against.
fn pin_address(request: &mut Request<WasiBody>, address: SocketAddr) -> Result<(), Error> {
    let mut parts = request.uri().clone().into_parts();
    let authority = Authority::try_from(address.to_string()).map_err(|_| Error::HttpRequestUriInvalid)?;
    parts.authority = Some(authority);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Error::HttpRequestUriInvalid)?;
    Ok(())
}

fn bounded(options: Option<RequestOptions>) -> RequestOptions {
    let options = options.unwrap_or_default();
    let bound = |wish: Option<Duration>| Some(wish.map_or(WAIT_MAX, |wish| wish.min(WAIT_MAX)));
    RequestOptions {
        connect_timeout: bound(options.connect_timeout),
        first_byte_timeout: bound(options.first_byte_timeout),
        between_bytes_timeout: bound(options.between_bytes_timeout),
    }
}
