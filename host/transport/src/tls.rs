use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};

/// Why a listener has no TLS. The operator is at fault.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("no certificates in {path}: {source}. Name a PEM file with the chain, the server's own first")]
    Certificates { path: PathBuf, source: pem::Error },
    #[error("no private key in {path}: {source}. Name a PEM file with an unencrypted key")]
    Key { path: PathBuf, source: pem::Error },
    #[error("certificate and key do not go together: {0}")]
    Mismatch(#[from] rustls::Error),
}

/// TLS 1.2 and 1.3, offering HTTP/2 and HTTP/1.1, from PEM files that are read once.
pub fn tls_config(certificates: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| {
            if chain.is_empty() {
                Err(pem::Error::NoItemsFound)
            } else {
                Ok(chain)
            }
        })
        .map_err(|source| TlsError::Certificates {
            path: certificates.to_owned(),
            source,
        })?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Key {
        path: key.to_owned(),
        source,
    })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
