//! TLS to one server: whom the client believes, and the sessions that begin there.

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::sync::Arc;

/// What is spoken over a session (RFC 7301).
const ALPN: &[u8] = b"http/1.1";

/// How sessions with one server begin.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// The server has to show that it is this host, to somebody who believes these certificates (PEM), or public
    /// authorities.
    pub fn to(host: &str, ca: Option<&str>) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_string());
        let name = name.map_err(|_| "the host is no name that a certificate can have".to_string())?;
        let roots = match ca {
            Some(pem) => read(pem)?,
            None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be had: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { config: Arc::new(config), name })
    }

    /// A session before its handshake.
    pub fn session(&self) -> Result<ClientConnection, rustls::Error> {
        ClientConnection::new(self.config.clone(), self.name.clone())
    }
}

fn read(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("the ca is not PEM: {error}"))?;
        roots.add(certificate).map_err(|error| format!("the ca cannot be used: {error}"))?;
    }
    match roots.is_empty() {
        true => Err("the ca holds no certificate".to_string()),
        false => Ok(roots),
    }
}
