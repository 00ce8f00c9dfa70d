//! TLS: the certificate and its key, which can be read again while the server runs, and the session of one
//! connection.

mod session;
mod validity;

pub(crate) use session::{Handshake, Session};

use crate::lock::locked;
use crate::measured::note_certificate_expiry;
use rustls::crypto::{CryptoProvider, ring};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::{self, File};
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The largest file of certificates, or of a key, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// What is spoken over a session (RFC 7301).
const ALPN: &[u8] = b"http/1.1";
/// How a key begins that cannot be used without a passphrase.
const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";

/// Where the certificate and its key are, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// `TLS_CERT`: the server's own certificate first, then those that lead to a root.
    pub certificate: PathBuf,
    /// `TLS_KEY`: the key of the server's own certificate.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Reads both and makes of them how sessions begin, and until when (in seconds since 1970; 0: it cannot be read)
    /// the certificate is good. The error names the setting, the file and the reason.
    pub fn load(&self) -> Result<(Arc<ServerConfig>, u64), String> {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        let chain = CertificateDer::pem_slice_iter(&read("TLS_CERT", &self.certificate)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("TLS_CERT: {certificate} is not PEM: {error}"))?;
        if chain.is_empty() {
            return Err(format!("TLS_CERT: there is no certificate in {certificate}"));
        }
        let expiry = validity::expiry(&chain[0]).unwrap_or_default();
        let provider = Arc::new(ring::default_provider());
        let signing = provider.key_provider.load_private_key(self.load_key()?);
        let signing =
            signing.map_err(|error| format!("TLS_KEY: the key in {key} cannot be used: {error}"))?;
        let certified = CertifiedKey::new(chain, signing);
        certified.keys_match().map_err(|error| {
            if matches!(error, rustls::Error::InconsistentKeys(_)) {
                return format!(
                    "TLS_KEY: the key in {key} is not that of the first certificate in {certificate}"
                );
            }
            format!("TLS_CERT: the first certificate in {certificate} cannot be used: {error}")
        })?;
        let config = config(provider, certified);
        Ok((config.map_err(|error| format!("TLS_CERT: TLS cannot be had: {error}"))?, expiry))
    }

    fn load_key(&self) -> Result<PrivateKeyDer<'static>, String> {
        let name = self.key.display();
        let pem = read("TLS_KEY", &self.key)?;
        match PrivateKeyDer::pem_slice_iter(&pem).next() {
            Some(key) => key.map_err(|error| format!("TLS_KEY: {name} is not PEM: {error}")),
            None if pem.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED) => {
                Err(format!("TLS_KEY: the key in {name} needs a passphrase: store it without one"))
            }
            None => Err(format!("TLS_KEY: there is no private key in {name}")),
        }
    }
}

fn config(
    provider: Arc<CryptoProvider>,
    certified: CertifiedKey,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // What a client needs to take up its last session it keeps itself: a crowd that comes back costs no memory.
    config.ticketer = ring::Ticketer::new()?;
    Ok(Arc::new(config))
}

/// What a client goes by that believes the certificates of a file and no others. The error begins with `setting` and
/// names the file and the reason.
pub(crate) fn believing(setting: &str, path: &Path) -> Result<Arc<ClientConfig>, String> {
    let wrong = |why: String| format!("{setting}: {} {why}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&read(setting, path)?) {
        let certificate = certificate.map_err(|error| wrong(format!("is not PEM: {error}")))?;
        roots.add(certificate).map_err(|error| wrong(format!("cannot be used: {error}")))?;
    }
    if roots.is_empty() {
        return Err(wrong("holds no certificate".to_string()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(format!("cannot be used: {error}")))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

fn read(setting: &str, path: &Path) -> Result<Vec<u8>, String> {
    let name = path.display();
    let mut bytes = Vec::new();
    // A pipe would be waited for, perhaps for ever, by the thread that listens for signals.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(format!("{setting}: {name} is no regular file"));
    }
    let file = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match file {
        Ok(_) if bytes.len() as u64 > FILE_BYTES_MAX => {
            Err(format!("{setting}: {name} is over the limit of {FILE_BYTES_MAX} bytes"))
        }
        Ok(_) => Ok(bytes),
        Err(error) => Err(format!("{setting}: {name} cannot be read: {error}")),
    }
}

/// What new sessions begin with.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    config: Mutex<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files. The error names the setting, the file and the reason.
    pub fn open(files: &TlsFiles) -> Result<Self, String> {
        let (config, expiry) = files.load()?;
        note_certificate_expiry(expiry);
        Ok(Self { files: files.clone(), config: Mutex::new(config) })
    }

    /// Reads the files again: sessions that begin from now on go by them, those that there are go on. When they
    /// cannot be used, everything stays as it is; the error names the setting, the file and the reason.
    pub fn reload(&self) -> Result<(), String> {
        let (config, expiry) = self.files.load()?;
        note_certificate_expiry(expiry);
        *locked(&self.config) = config;
        Ok(())
    }

    /// Where the files are.
    pub fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// A session over a stream that was accepted.
    pub(crate) fn session(&self, stream: TcpStream) -> Result<Session, rustls::Error> {
        let config = locked(&self.config).clone();
        Session::new(stream, config)
    }
}

#[cfg(test)]
mod tests;
