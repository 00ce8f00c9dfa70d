use super::*;
use std::fs;

fn issued(folder: &Path) -> TlsFiles {
    let made = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
    let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
    fs::write(&files.certificate, made.cert.pem()).unwrap();
    fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    files
}

#[test]
fn a_certificate_and_its_key_may_stand_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = issued(folder.path());
    let both = [fs::read(&files.key).unwrap(), fs::read(&files.certificate).unwrap()].concat();
    fs::write(&files.certificate, both).unwrap();
    let one = TlsFiles { key: files.certificate.clone(), ..files };
    assert_eq!(one.load().unwrap().0.alpn_protocols, [b"http/1.1"]);
}

#[test]
fn what_cannot_be_used_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let good = issued(folder.path());
    let other = folder.path().join("other.pem");
    let wrong = |setting: &str, bytes: &[u8]| {
        fs::write(&other, bytes).unwrap();
        let mut files = good.clone();
        match setting {
            "TLS_CERT" => files.certificate.clone_from(&other),
            _ => files.key.clone_from(&other),
        }
        files.load().unwrap_err().replace(&*other.to_string_lossy(), "other.pem")
    };
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let waited_for = TlsFiles { key: pipe.clone(), ..good.clone() };
    let said = format!("TLS_KEY: {} is no regular file", pipe.display());
    assert_eq!(waited_for.load().unwrap_err(), said);
    assert_eq!(wrong("TLS_CERT", b"no PEM"), "TLS_CERT: there is no certificate in other.pem");
    assert_eq!(wrong("TLS_KEY", b"no PEM"), "TLS_KEY: there is no private key in other.pem");
    let large = vec![b' '; FILE_BYTES_MAX as usize + 1];
    assert_eq!(wrong("TLS_CERT", &large), "TLS_CERT: other.pem is over the limit of 1048576 bytes");
    let broken = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    assert!(wrong("TLS_CERT", broken).starts_with("TLS_CERT: other.pem is not PEM: "));
    let nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let why = wrong("TLS_CERT", nonsense);
    assert!(why.starts_with("TLS_CERT: the first certificate in other.pem cannot be used: "), "{why}");
    let nonsense = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let why = wrong("TLS_KEY", nonsense);
    assert!(why.starts_with("TLS_KEY: the key in other.pem cannot be used: "), "{why}");
    let stranger = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let why = wrong("TLS_KEY", stranger.as_bytes());
    assert!(
        why.starts_with("TLS_KEY: the key in other.pem is not that of the first certificate in "),
        "{why}"
    );
    let folder = TlsFiles { certificate: folder.path().to_path_buf(), ..good };
    assert!(folder.load().unwrap_err().ends_with(" is no regular file"));
}

#[test]
fn what_is_read_again_and_is_no_good_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files = issued(folder.path());
    let tls = Tls::open(&files).unwrap();
    let first = locked(&tls.config).clone();
    fs::write(&files.key, "").unwrap();
    assert!(tls.reload().unwrap_err().starts_with("TLS_KEY: there is no private key in "));
    assert!(Arc::ptr_eq(&first, &locked(&tls.config)));
    issued(folder.path());
    tls.reload().unwrap();
    assert!(!Arc::ptr_eq(&first, &locked(&tls.config)));
}
