//! The server's certificate and key, and the handshake that uses them.
//!
//! Fails closed: a certificate or key that cannot be read or does not fit stops the start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pgwire::api::auth::sasl::scram::ScramServerAuth;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    /// The file is not PEM, or holds nothing of the wanted kind.
    #[error("{path} holds no usable {wanted}: {source}")]
    Pem { path: PathBuf, wanted: &'static str, source: rustls_pki_types::pem::Error },
    /// Certificate and key do not fit, or use what rustls does not know.
    #[error("the certificate and its key cannot be used: {0}")]
    Rejected(#[from] rustls::Error),
}

/// What the server proves its name with.
#[derive(Clone)]
pub struct TlsIdentity {
    pub(crate) acceptor: TlsAcceptor,
    /// SCRAM bound to this certificate (`tls-server-end-point`); none when its signature algorithm has no binding.
    pub(crate) scram_plus: Option<ScramServerAuth>,
}

impl TlsIdentity {
    /// Reads a certificate chain and its private key, both PEM.
    pub fn from_pem_files(certificates: &Path, key: &Path) -> Result<TlsIdentity, TlsError> {
        let certificates_pem = read(certificates)?;
        let key_pem = read(key)?;
        let chain = CertificateDer::pem_slice_iter(&certificates_pem)
            .collect::<Result<Vec<_>, _>>()
            .and_then(
                |chain| if chain.is_empty() { Err(rustls_pki_types::pem::Error::NoItemsFound) } else { Ok(chain) },
            )
            .map_err(|source| TlsError::Pem { path: certificates.to_path_buf(), wanted: "certificate", source })?;
        let key = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|source| TlsError::Pem {
            path: key.to_path_buf(),
            wanted: "private key",
            source,
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        let mut scram_plus = ScramServerAuth::new();
        let bound = scram_plus.configure_certificate(&certificates_pem).is_ok();
        Ok(TlsIdentity { acceptor: TlsAcceptor::from(Arc::new(config)), scram_plus: bound.then_some(scram_plus) })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_path_buf(), source })
}
