//! From the settings that the configuration gives to those that each part wants.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use crate::{
    config::{self, Settings},
    doors::{Sockets, edge, sidecar},
    feeds::{certs::Certificates, files, jwks::Source},
    portal,
    rules::{
        address::TrustedProxies,
        ban::{Sight, Spared},
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

/// Whom no ban reaches: every peer that is believed about somebody else's address, and whom the operator allows.
pub(crate) fn spared(settings: &Settings) -> Spared {
    let mut proxies = trusted(settings).0;
    if let Some(edge) = &settings.edge {
        proxies.extend(edge.trusted_proxies.iter().chain(&edge.proxy_protocol_from));
    }
    Spared { proxies: TrustedProxies(proxies), allow: TrustedProxies(settings.bans_allow.clone()) }
}

/// Which databases there are to find somebody by country or autonomous system.
pub(crate) fn sight(settings: &Settings) -> Sight {
    Sight { places: settings.geoip.city.is_some(), systems: settings.geoip.asn.is_some() }
}

/// The sidecar's settings; certificates are read here.
pub(super) fn sidecar(
    written: &config::SidecarSettings,
    sockets: &Arc<Sockets>,
) -> Result<sidecar::SidecarSettings, String> {
    let (secrets, tls) = vouched(written)?;
    Ok(sidecar::SidecarSettings {
        listen: written.listen,
        socket: written.socket.clone(),
        socket_peers: written.socket_peers.clone(),
        secrets,
        tls,
        sockets: Arc::clone(sockets),
    })
}

/// What proxies prove themselves with; certificates are read here.
pub(super) fn vouched(
    written: &config::SidecarSettings,
) -> Result<(Vec<sidecar::ProxySecret>, Option<Arc<ServerConfig>>), String> {
    let secret = |secret: &config::ProxySecret| sidecar::ProxySecret {
        name: secret.name.clone(),
        secret: SecretBytes::new(secret.secret.expose().as_bytes()),
    };
    let tls = written.tls.as_ref().map(client_certificates).transpose()?;
    Ok((written.secrets.iter().map(secret).collect(), tls))
}

/// The edge's settings.
pub(super) fn edge(
    settings: &Settings,
    written: &config::EdgeSettings,
    certificates: Arc<Certificates>,
    sockets: &Arc<Sockets>,
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
        sockets: Arc::clone(sockets),
        marks: |headers, visit, grant| {
            let portal::Mark { html, always } = portal::mark(headers, visit, grant)?;
            Some(edge::Mark { html, always })
        },
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
    let chain = certificates(&tls.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read(&tls.key)?);
    let key = key.map_err(|error| format!("{}: {error}", tls.key.display()))?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_client_cert_verifier(verifier))
        .and_then(|builder| builder.with_single_cert(chain, key));
    config.map(Arc::new).map_err(|error| format!("{}: {error}", tls.certificate.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    files::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use rustls::{ClientConfig, pki_types::ServerName};
    use tokio::io::AsyncReadExt;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    struct Authority {
        pem: String,
        issuer: Issuer<'static, KeyPair>,
    }

    impl Authority {
        fn new() -> Self {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            let pem = params.self_signed(&key).unwrap().pem();
            Self { pem, issuer: Issuer::new(params, key) }
        }

        fn issue(&self, name: &str) -> (String, String) {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
        }
    }

    /// Whether a client with this certificate gets through the handshake.
    async fn admitted(server: &Arc<ServerConfig>, ours: &Authority, with: Option<(String, String)>) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ours.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let client = match with {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        let (near, far) = tokio::io::duplex(64 << 10);
        let name = ServerName::try_from("localhost").unwrap();
        let asking = tokio::spawn(async move {
            let mut stream = TlsConnector::from(Arc::new(client)).connect(name, near).await?;
            stream.read(&mut [0]).await
        });
        let admitted = TlsAcceptor::from(Arc::clone(server)).accept(far).await.is_ok();
        let _ = asking.await;
        admitted
    }

    #[tokio::test]
    async fn only_a_proxy_with_a_certificate_of_the_named_authority_reaches_the_sidecar() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| -> PathBuf {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let (ours, strangers) = (Authority::new(), Authority::new());
        let (certificate, key) = ours.issue("localhost");
        let tls = config::SidecarTls {
            certificate: write("sidecar.crt", &certificate),
            key: write("sidecar.key", &key),
            client_ca: write("ca.pem", &ours.pem),
        };
        let server = client_certificates(&tls).unwrap();
        assert!(admitted(&server, &ours, Some(ours.issue("nginx"))).await);
        assert!(!admitted(&server, &ours, Some(strangers.issue("nginx"))).await, "R1");
        assert!(!admitted(&server, &ours, None).await, "R1");
    }
}
