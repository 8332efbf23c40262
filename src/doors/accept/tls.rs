//! Our end of TLS: what is offered, and which certificate is shown.

use std::{fmt, net::IpAddr, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache},
    sign::CertifiedKey,
};

/// Finds the certificate for the name a client asks for, or, if it names none, for the address it connected to.
pub type Certificates = Arc<dyn Fn(Option<&str>, IpAddr) -> Option<Arc<CertifiedKey>> + Send + Sync>;

/// Sessions of clients that take no tickets.
const REMEMBERED: usize = 4096;

/// TLS 1.3 and 1.2, HTTP/2 and HTTP/1.1, no early data (R30). The post-quantum hybrid X25519MLKEM768 comes first among
/// the key exchanges, by the provider's own order.
///
/// Clients resume by tickets, of which we need to remember nothing. Their keys are in memory only and change every six
/// hours; a ticket is good until the second change. There is no early data, so that a ticket that is used twice says
/// nothing twice.
///
/// # Errors
/// If the provider cannot do what is asked of it.
pub(super) fn server_config() -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    make_default(&provider);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(NoCertificate));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.max_early_data_size = 0;
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    config.session_storage = ServerSessionMemoryCache::new(REMEMBERED);
    Ok(config)
}

/// The proxy engine takes the process's default for its own connections and would install another library.
pub(crate) fn make_default(provider: &Arc<CryptoProvider>) {
    if CryptoProvider::get_default().is_none() {
        // Losing the race to another thread that installs one is just as well.
        let _ = CryptoProvider::clone(provider).install_default();
    }
}

/// Shows certificates to a client that connected to `local`.
pub(super) fn config_for(
    base: &ServerConfig,
    certificates: &Certificates,
    local: IpAddr,
) -> Arc<ServerConfig> {
    let mut config = base.clone();
    config.cert_resolver = Arc::new(Chooser { certificates: Arc::clone(certificates), local });
    Arc::new(config)
}

struct Chooser {
    certificates: Certificates,
    local: IpAddr,
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        (self.certificates)(name.as_deref(), self.local)
    }
}

impl fmt::Debug for Chooser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chooser({})", self.local)
    }
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, sync::Arc};

    use rustls::{
        ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion,
        client::{Resumption, Tls12Resumption},
        pki_types::{PrivateKeyDer, ServerName},
        sign::CertifiedKey,
        version::{TLS12, TLS13},
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::{Certificates, config_for, server_config};

    /// Two connections of one client; how the second handshake went.
    async fn second(version: &'static SupportedProtocolVersion, resumption: Resumption) -> HandshakeKind {
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let shown = CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider).unwrap();
        let shown = Arc::new(shown);
        let certificates: Certificates = Arc::new(move |_, _| Some(Arc::clone(&shown)));
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        let mut client = builder.with_root_certificates(roots).with_no_client_auth();
        client.resumption = resumption;
        let connector = TlsConnector::from(Arc::new(client));
        let base = server_config().unwrap();
        let mut kind = None;
        for _ in 0..2 {
            let (near, far) = duplex(64 * 1024);
            let acceptor = TlsAcceptor::from(config_for(&base, &certificates, Ipv4Addr::LOCALHOST.into()));
            let serving = async {
                let mut stream = acceptor.accept(far).await.unwrap();
                stream.write_all(b"x").await.unwrap();
                stream.shutdown().await.unwrap();
                let _ = stream.read(&mut [0]).await;
            };
            let asking = async {
                let name = ServerName::try_from("a.test").unwrap();
                let mut stream = connector.connect(name, near).await.unwrap();
                stream.read_exact(&mut [0]).await.unwrap();
                let kind = stream.get_ref().1.handshake_kind();
                stream.shutdown().await.unwrap();
                kind
            };
            kind = tokio::join!(serving, asking).1;
        }
        kind.unwrap()
    }

    #[tokio::test]
    async fn a_second_handshake_is_resumed_by_ticket_and_by_id() {
        let sessions = || Resumption::in_memory_sessions(8);
        assert_eq!(second(&TLS13, sessions()).await, HandshakeKind::Resumed);
        for how in [Tls12Resumption::SessionIdOrTickets, Tls12Resumption::SessionIdOnly] {
            assert_eq!(second(&TLS12, sessions().tls12_resumption(how)).await, HandshakeKind::Resumed);
        }
        assert_eq!(second(&TLS13, Resumption::disabled()).await, HandshakeKind::Full);
    }
}
