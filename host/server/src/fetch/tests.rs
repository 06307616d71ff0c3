//! Against real listeners on this machine. The certificate is the one that transport's tests have, for `localhost`.
use std::path::Path;

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;

/// Answers every request with these bytes.
async fn serve(answer: &'static str, tls: Option<TlsAcceptor>) -> u16 {
    async fn answer_one(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            head.push(byte);
        }
        _ = stream.write_all(answer.as_bytes()).await;
        _ = stream.shutdown().await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            match &tls {
                None => answer_one(stream, answer).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        answer_one(stream, answer).await;
                    }
                }
            }
        }
    });
    port
}

fn request(url: &str, allow_private: bool) -> FetchRequest {
    FetchRequest {
        url: url.into(),
        bytes_max: 16,
        allow_private,
    }
}

async fn fetched(url: &str, allow_private: bool) -> Result<String, String> {
    let body = HttpFetch::new().fetch(request(url, allow_private)).await;
    body.map(|body| String::from_utf8(body.to_vec()).unwrap())
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_body_is_fetched_from_where_the_manifest_says() {
    let port = serve("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}", None).await;
    let url = format!("http://127.0.0.1:{port}/keys?v=1");
    assert_eq!(fetched(&url, true).await.unwrap(), r#"{"keys":[]}"#);
    assert_eq!(
        fetched(&format!("http://localhost:{port}/"), true).await.unwrap(),
        r#"{"keys":[]}"#
    );
}

#[tokio::test]
async fn this_machine_and_its_neighbours_are_out_of_reach() {
    for url in [
        "https://127.0.0.1/keys",
        "https://localhost/keys",
        "http://[::1]:80/keys",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://[::ffff:10.0.0.1]/",
    ] {
        let error = fetched(url, false).await.unwrap_err();
        assert!(error.contains("is not a public address"), "{url}: {error}");
    }
}

#[tokio::test]
async fn redirects_and_long_answers_are_errors() {
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n";
    let port = serve(moved, None).await;
    let error = fetched(&format!("http://127.0.0.1:{port}/"), true)
        .await
        .unwrap_err();
    assert!(error.contains("302"), "{error}");
    for long in [
        "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n12345678901234567",
        "HTTP/1.1 200 OK\r\n\r\n12345678901234567",
    ] {
        let port = serve(long, None).await;
        let error = fetched(&format!("http://127.0.0.1:{port}/"), true)
            .await
            .unwrap_err();
        assert!(error.contains("limit"), "{error}");
    }
}

#[tokio::test]
async fn certificates_are_checked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../transport/tests/wire/tls");
    let certificate = folder.join("certificate.pem");
    let config = transport::tls_config(&certificate, &folder.join("key.pem")).unwrap();
    let port = serve(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        Some(config.into()),
    )
    .await;
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate).unwrap())
        .unwrap();
    let trusting = HttpFetch::trusting(roots);
    let url = format!("https://localhost:{port}/keys");
    assert_eq!(trusting.fetch(request(&url, true)).await.unwrap(), "{}");
    let other = format!("https://127.0.0.1:{port}/keys");
    assert!(
        trusting.fetch(request(&other, true)).await.is_err(),
        "another name"
    );
    let error = fetched(&url, true).await.unwrap_err();
    assert!(
        error.to_lowercase().contains("certificate"),
        "nobody vouches for it: {error}"
    );
}
