//! Fetching what issuers publish: one GET, under the rules that guests' requests go by.
use std::{sync::Arc, time::Duration};

use auth::{Fetch, FetchError, FetchRequest};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, StatusCode, Uri, header, uri::Scheme};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// From the look-up to the last byte; shorter than who waits has patience.
const FETCH_MAX: Duration = Duration::from_secs(8);
/// The head of an answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Implements [`Fetch`].
pub(crate) struct HttpFetch(TlsConnector);

impl HttpFetch {
    /// Trusts who Mozilla trusts, as guests' requests do.
    pub(crate) fn new() -> Self {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        Self::trusting(roots)
    }

    pub(crate) fn trusting(roots: RootCertStore) -> Self {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|error| unreachable!("ring has the default versions: {error}"));
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self(Arc::new(config).into())
    }
}

impl Fetch for HttpFetch {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'static, Result<Bytes, FetchError>> {
        let tls = self.0.clone();
        Box::pin(async move {
            match timeout(FETCH_MAX, fetch(tls, request)).await {
                Ok(fetched) => fetched,
                Err(_) => Err(FetchError("no answer in time".to_owned())),
            }
        })
    }
}

async fn fetch(tls: TlsConnector, request: FetchRequest) -> Result<Bytes, FetchError> {
    let uri: Uri = request.url.parse().map_err(failed)?;
    let host = uri.host().unwrap_or_default().to_owned();
    let secure = uri.scheme() == Some(&Scheme::HTTPS);
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let place = format!("{host}:{port}");
    // The address that was checked is the one that is connected to.
    let address = runtime::reach(&place, request.allow_private)
        .await
        .map_err(failed)?;
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    if !secure {
        return get(stream, &uri, request.bytes_max).await;
    }
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(name).map_err(failed)?;
    let stream = tls.connect(name, stream).await.map_err(failed)?;
    get(stream, &uri, request.bytes_max).await
}

async fn get(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    uri: &Uri,
    bytes_max: usize,
) -> Result<Bytes, FetchError> {
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/jwk-set+json, application/json")
        .header(
            header::USER_AGENT,
            concat!("wakeline/", env!("CARGO_PKG_VERSION")),
        )
        .body(Empty::<Bytes>::new())
        .map_err(failed)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(failed)?;
        // A redirect would lead to a place that nobody has checked.
        if response.status() != StatusCode::OK {
            return Err(FetchError(format!("the answer is {}", response.status())));
        }
        let body = Limited::new(response.into_body(), bytes_max).collect().await;
        Ok(body.map_err(|error| FetchError(error.to_string()))?.to_bytes())
    };
    // Both on this task: the connection ends with the answer.
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        ended = connection => {
            ended.map_err(failed)?;
            answer.await
        }
    }
}

fn failed(error: impl std::fmt::Display) -> FetchError {
    FetchError(error.to_string())
}

#[cfg(test)]
mod tests;
