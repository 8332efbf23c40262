//! Our end of TLS: what is offered, and which certificate is shown.

use std::{fmt, net::IpAddr, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// Finds the certificate for the name a client asks for, or, if it names none, for the address it connected to.
pub type Certificates = Arc<dyn Fn(Option<&str>, IpAddr) -> Option<Arc<CertifiedKey>> + Send + Sync>;

/// TLS 1.3 and 1.2, HTTP/2 and HTTP/1.1, no early data (R30). The post-quantum hybrid X25519MLKEM768 comes first among
/// the key exchanges, by the provider's own order.
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
