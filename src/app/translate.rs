//! From the settings that the configuration gives to those that each part wants.

use std::{fs, path::Path, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use crate::{
    config::{self, Settings},
    doors::sidecar,
    rules::{address::TrustedProxies, site::Sites},
    secret::SecretBytes,
};

/// The host map.
pub(super) fn sites(settings: &Settings) -> Result<Sites, String> {
    let sites = settings.sites.iter().map(|site| site.site.clone()).collect();
    Sites::new(sites)
        .map_err(|origin| format!("two sites claim {origin}; an origin can belong to one site only"))
}

/// Whose forwarded headers the sidecar believes.
pub(super) fn trusted(settings: &Settings) -> TrustedProxies {
    TrustedProxies(
        settings.sidecar.as_ref().map(|sidecar| sidecar.trusted_proxies.clone()).unwrap_or_default(),
    )
}

/// The sidecar's settings; certificates are read here.
pub(super) fn sidecar(written: &config::SidecarSettings) -> Result<sidecar::SidecarSettings, String> {
    let secret = |secret: &config::ProxySecret| sidecar::ProxySecret {
        name: secret.name.clone(),
        secret: SecretBytes::new(secret.secret.expose().as_bytes()),
    };
    Ok(sidecar::SidecarSettings {
        listen: written.listen,
        socket: written.socket.clone(),
        socket_peers: written.socket_peers.clone(),
        secrets: written.secrets.iter().map(secret).collect(),
        tls: written.tls.as_ref().map(client_certificates).transpose()?,
    })
}

fn client_certificates(tls: &config::SidecarTls) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in certificates(&tls.client_ca)? {
        roots.add(authority).map_err(|error| format!("{}: {error}", tls.client_ca.display()))?;
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let verifier = verifier.map_err(|error| format!("{}: {error}", tls.client_ca.display()))?;
    let key = PrivateKeyDer::from_pem_slice(&read(&tls.key)?);
    let key = key.map_err(|error| format!("{}: {error}", tls.key.display()))?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_client_cert_verifier(verifier))
        .and_then(|builder| {
            builder.with_single_cert(certificates(&tls.certificate).unwrap_or_default(), key)
        });
    config.map(Arc::new).map_err(|error| format!("{}: {error}", tls.certificate.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
