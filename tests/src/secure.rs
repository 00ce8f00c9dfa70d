//! Certificates for tests, and clients that go by them.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Both versions that there are.
pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// Who signs certificates, and is believed by clients of the test.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

/// The certificate of a server and its key, as files.
#[derive(Debug, Clone)]
pub struct Files {
    /// In PEM.
    pub certificate: PathBuf,
    /// In PEM.
    pub key: PathBuf,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("there is randomness");
        let own = params.self_signed(&key).expect("it can sign");
        Self { certificate: own.der().clone(), pem: own.pem(), issuer: Issuer::new(params, key) }
    }

    /// Signs a certificate for this machine and writes it and its key into a folder. Returns it, too.
    pub fn issue(&self, folder: &Path) -> (Files, CertificateDer<'static>) {
        let names = vec!["localhost".to_string(), "127.0.0.1".to_string()];
        let params = CertificateParams::new(names).expect("they are names");
        let key = KeyPair::generate().expect("there is randomness");
        let own = params.signed_by(&key, &self.issuer).expect("it can sign");
        let files = Files { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
        fs::write(&files.certificate, own.pem()).expect("the folder takes a file");
        fs::write(&files.key, key.serialize_pem()).expect("the folder takes a file");
        (files, own.der().clone())
    }

    /// Writes its own certificate into a folder.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let file = folder.join("ca.pem");
        fs::write(&file, &self.pem).expect("the folder takes a file");
        file
    }

    /// What a client goes by that believes this authority and speaks one of these versions.
    pub fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("it is a certificate");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("ring has them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Every handshake is a whole one, and shows the certificate.
        config.resumption = rustls::client::Resumption::disabled();
        Arc::new(config)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Files {
    /// Both as flags of a server.
    pub fn flags(&self) -> [String; 4] {
        let text = |path: &Path| path.display().to_string();
        ["--tls-cert".into(), text(&self.certificate), "--tls-key".into(), text(&self.key)]
    }
}

/// A session with the server of this machine, before its handshake.
pub fn session(config: &Arc<ClientConfig>) -> ClientConnection {
    let name = ServerName::try_from("localhost").expect("it is a name");
    ClientConnection::new(config.clone(), name).expect("the configuration is whole")
}
