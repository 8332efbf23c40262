//! A certificate authority for one test run.

use std::{fs, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore};

/// Writes `ca.pem`, `chain.pem`, `key.pem` and `both.pem` for a host, and gives a client configuration that trusts nothing else.
pub(crate) fn issue(directory: &Path, host: &str) -> Arc<ClientConfig> {
    let authority = authority();
    let mut params =
        CertificateParams::new(vec![host.to_owned(), "127.0.0.1".to_owned()]).expect("a valid host name");
    params.distinguished_name.push(DnType::CommonName, host);
    let key = KeyPair::generate().expect("keys can be made");
    let leaf = params.signed_by(&key, &authority).expect("the authority can sign");
    fs::write(directory.join("ca.pem"), authority.pem()).expect("the directory is writable");
    let (chain, key) = (leaf.pem(), key.serialize_pem());
    fs::write(directory.join("chain.pem"), &chain).expect("the directory is writable");
    fs::write(directory.join("key.pem"), &key).expect("the directory is writable");
    fs::write(directory.join("both.pem"), chain + &key).expect("the directory is writable");
    client_that_trusts(authority.der().clone())
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names are valid names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Panelgate test authority");
    let key = KeyPair::generate().expect("keys can be made");
    CertifiedIssuer::self_signed(params, key).expect("an authority can sign itself")
}

fn client_that_trusts(authority: rustls::pki_types::CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority).expect("our own authority is well-formed");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder.expect("the provider has TLS 1.2 and 1.3").with_root_certificates(roots);
    Arc::new(config.with_no_client_auth())
}
