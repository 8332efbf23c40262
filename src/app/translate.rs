//! From the settings that the configuration gives to those that each part wants.

use std::{collections::HashMap, fs, path::Path, sync::Arc, time::Duration};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use crate::{
    config::{self, Settings},
    doors::{edge, sidecar},
    feeds::{certs::Certificates, jwks::Source},
    rules::{
        address::TrustedProxies,
        identity::Role,
        session::SiteId,
        site::Sites,
        token::{Alg, ClaimNames, Issuer, IssuerKeys, Issuers, PublicKeys},
    },
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

/// The edge's settings.
pub(super) fn edge(
    settings: &Settings,
    written: &config::EdgeSettings,
    certificates: Arc<Certificates>,
) -> edge::EdgeSettings {
    let limits = &written.limits;
    edge::EdgeSettings {
        listen: written.listen.clone(),
        redirect_from: written.redirect_from.clone(),
        certificates: Arc::new(move |name, local| certificates.find(name, local)),
        upstreams: upstreams(settings),
        trusted_proxies: TrustedProxies(written.trusted_proxies.clone()),
        proxy_protocol_from: TrustedProxies(written.proxy_protocol_from.clone()),
        limits: edge::Limits {
            connections: limits.connections,
            per_address: limits.per_address,
            handshake: limits.handshake,
            head: limits.head,
            body_idle: limits.body_idle,
            keep_alive: limits.keep_alive,
            websocket_idle: limits.websocket_idle,
            upstream_connect: limits.upstream_connect,
            upstream_read: limits.upstream_read,
        },
        client_script: true,
    }
}

/// The panel of each site that has one.
pub(super) fn upstreams(settings: &Settings) -> HashMap<SiteId, edge::UpstreamSettings> {
    let upstream = |site: &config::SiteSettings| {
        let address = match site.upstream.clone()? {
            config::Upstream::Tcp { host, port, secure } => edge::UpstreamAddress::Tcp { host, port, secure },
            config::Upstream::Unix(path) => edge::UpstreamAddress::Unix(path),
        };
        Some((Arc::clone(&site.site.id), edge::UpstreamSettings { address, authorities: Vec::new() }))
    };
    settings.sites.iter().filter_map(upstream).collect()
}

/// The longest life of an issuer's token: a revoked session's tombstone has to outlive it.
const LONGEST_TOKEN: Duration = Duration::from_secs(86_400);

/// The trusted issuers, without their keys.
pub(super) fn issuers(settings: &Settings) -> Result<Issuers, String> {
    let issuer = |written: &config::IssuerSettings| Issuer {
        name: written.name.clone(),
        iss: written.issuer.clone(),
        aud: written.audience.clone(),
        algorithms: written.algorithms.iter().filter_map(|name| Alg::parse(name)).collect(),
        claims: ClaimNames {
            user: written.claims.user.clone(),
            session: written.claims.session.clone(),
            role: written.claims.role.clone(),
            email: written.claims.email.clone(),
        },
        roles: written
            .roles
            .iter()
            .map(|(theirs, ours)| (theirs.clone(), Role::from(ours.as_str())))
            .collect(),
        max_lifetime: LONGEST_TOKEN,
        keys: match &written.keys {
            config::KeySource::Secret(secret) => IssuerKeys::Shared(secret.clone()),
            config::KeySource::File(_) | config::KeySource::Url(_) => {
                IssuerKeys::Public(PublicKeys::default())
            }
        },
    };
    Issuers::new(settings.issuers.iter().map(issuer).collect()).map_err(|error| error.to_string())
}

/// Where the issuers' public keys come from.
pub(super) fn key_sources(settings: &Settings) -> Result<Vec<(String, Source)>, String> {
    let mut sources = Vec::new();
    for written in &settings.issuers {
        let source = match &written.keys {
            config::KeySource::File(path) => Source::File(path.clone()),
            config::KeySource::Url(url) => Source::url(url).map_err(|error| error.to_string())?,
            config::KeySource::Secret(_) => continue,
        };
        sources.push((written.name.clone(), source));
    }
    Ok(sources)
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
