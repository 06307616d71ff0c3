//! HTTP/2 and TLS. The certificate is for `localhost`, made for these tests and good for nothing else.
use std::{path::Path, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::spawn_local,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::node::{Node, run};

#[derive(Clone)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        spawn_local(async move {
            future.await;
        });
    }
}

/// Opens a session by polling over HTTP/2, and closes it.
pub(crate) async fn polls_over_http2(io: impl AsyncRead + AsyncWrite + Unpin + 'static) {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(Local, TokioIo::new(io))
            .await
            .unwrap();
    let driven = spawn_local(connection);
    let mut ask = async |method: &str, query: &str, body: &'static str| {
        let target = format!("http://localhost:3000/socket.io/?EIO=4&transport=polling{query}");
        let request = Request::builder()
            .method(method)
            .uri(target)
            .body(Full::from(body))
            .unwrap();
        let reply = sender.send_request(request).await.unwrap();
        let status = reply.status().as_u16();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    let (status, open) = ask("GET", "", "").await;
    assert_eq!(status, 200);
    let sid = format!("&sid={}", crate::peer::sid_of(&open));
    assert_eq!(ask("POST", &sid, "40").await, (200, "ok".to_owned()));
    assert!(ask("GET", &sid, "").await.1.starts_with("40{\"sid\""));
    assert_eq!(ask("POST", &sid, "1").await, (200, "ok".to_owned()));
    drop(sender);
    driven.await.unwrap().unwrap();
}

pub(crate) async fn secure() -> Node {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/tls");
    let config = transport::tls_config(&dir.join("certificate.pem"), &dir.join("key.pem")).unwrap();
    Node::start(|setup| setup.config.tls = Some(config)).await
}

pub(crate) async fn connect(node: &Node, alpn: &[u8]) -> TlsStream<TcpStream> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/tls/certificate.pem");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let tcp = TcpStream::connect(node.address).await.unwrap();
    let tls = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(alpn));
    tls
}

#[test]
fn http2_in_plain_text() {
    run(async {
        let node = Node::start(|_| {}).await;
        polls_over_http2(TcpStream::connect(node.address).await.unwrap()).await;
    });
}

#[test]
fn http2_over_tls() {
    run(async {
        let node = secure().await;
        polls_over_http2(connect(&node, b"h2").await).await;
    });
}

#[test]
fn a_websocket_over_tls() {
    run(async {
        let node = secure().await;
        let mut tls = connect(&node, b"http/1.1").await;
        let headers = [
            // The scheme is known here: the page's own origin is the secure one.
            ("Origin", "https://localhost:3000"),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        tls.write_all(crate::peer::request("GET", "/ws", &headers, "").as_bytes())
            .await
            .unwrap();
        tls.write_all(&crate::peer::frame(0x81, b"hi")).await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"\x81\x02hi") {
            assert!(
                tls.read_buf(&mut seen).await.unwrap() > 0,
                "{}",
                String::from_utf8_lossy(&seen)
            );
        }
        assert!(seen.starts_with(b"HTTP/1.1 101 "));
    });
}
