//! Where the panel is, and how to reach it.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use pingora_core::{
    upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy},
    utils::tls::{WrappedX509, parse_x509},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::StartError;
use crate::doors::accept::Limits;

/// Where a site's panel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// Its address.
    pub address: UpstreamAddress,
    /// Who signs its certificate; empty: the authorities that the system trusts.
    pub authorities: Vec<CertificateDer<'static>>,
}

/// A panel's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamAddress {
    /// Over TCP, with TLS if `secure`.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// Whether to speak TLS.
        secure: bool,
    },
    /// Over a Unix socket, plain.
    Unix(PathBuf),
}

/// An upstream with its name resolved. Names are looked up when the edge starts and when it reloads, never on the way
/// of a request.
pub(super) struct Upstream {
    /// What it was made from.
    pub(super) settings: UpstreamSettings,
    peer: HttpPeer,
    dial: Dial,
    connect: Duration,
}

enum Dial {
    Tcp(SocketAddr),
    Tls(SocketAddr, TlsConnector, ServerName<'static>),
    Unix(PathBuf),
}

/// A connection to the panel for a tunnel.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

impl Upstream {
    /// Resolves and prepares. `key` keeps the pooled connections of upstreams apart: the pool does not look at the
    /// authorities.
    pub(super) async fn prepare(
        settings: UpstreamSettings,
        key: u64,
        limits: &Limits,
    ) -> Result<Self, StartError> {
        let (mut peer, dial) = match settings.address.clone() {
            UpstreamAddress::Unix(path) => {
                let text = path
                    .to_str()
                    .ok_or_else(|| StartError::upstream(&path.display(), "its path is not UTF-8"))?;
                let peer = HttpPeer::new_uds(text, false, String::new())
                    .map_err(|error| StartError::upstream(&path.display(), &error))?;
                (peer, Dial::Unix(path))
            }
            UpstreamAddress::Tcp { host, port, secure } => {
                let address = resolve(&host, port).await?;
                if secure {
                    let (connector, name) = tls(&host, &settings.authorities)?;
                    // Without a name the engine would not verify the certificate at all.
                    (HttpPeer::new(address, true, host), Dial::Tls(address, connector, name))
                } else {
                    (HttpPeer::new(address, false, String::new()), Dial::Tcp(address))
                }
            }
        };
        peer.group_key = key;
        let options = &mut peer.options;
        options.connection_timeout = Some(limits.upstream_connect);
        options.total_connection_timeout = Some(limits.upstream_connect.saturating_mul(2));
        options.read_timeout = Some(limits.upstream_read);
        options.write_timeout = Some(limits.upstream_read);
        options.idle_timeout = Some(Duration::from_secs(30));
        options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
        if !settings.authorities.is_empty() {
            let wrap = |der: &CertificateDer<'_>| WrappedX509::new(der.to_vec(), parse_x509);
            options.ca = Some(settings.authorities.iter().map(wrap).collect::<Vec<_>>().into());
        }
        Ok(Self { settings, peer, dial, connect: limits.upstream_connect })
    }

    /// The address that its name had; `None` for a socket.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match &self.dial {
            Dial::Tcp(address) | Dial::Tls(address, ..) => Some(*address),
            Dial::Unix(_) => None,
        }
    }

    /// For the engine.
    pub(super) fn peer(&self) -> HttpPeer {
        self.peer.clone()
    }

    /// A connection of our own.
    pub(super) async fn dial(&self) -> io::Result<Box<dyn Wire>> {
        timeout(self.connect, self.dial_in_any_time()).await?
    }

    async fn dial_in_any_time(&self) -> io::Result<Box<dyn Wire>> {
        Ok(match &self.dial {
            Dial::Tcp(address) => Box::new(tcp(*address).await?),
            Dial::Tls(address, connector, name) => {
                Box::new(connector.connect(name.clone(), tcp(*address).await?).await?)
            }
            Dial::Unix(path) => Box::new(UnixStream::connect(path).await?),
        })
    }
}

async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

async fn resolve(host: &str, port: u16) -> Result<SocketAddr, StartError> {
    let found = timeout(Duration::from_secs(5), lookup_host((host, port))).await;
    match found {
        Ok(Ok(mut addresses)) => {
            addresses.next().ok_or_else(|| StartError::upstream(&host, "its name has no address"))
        }
        Ok(Err(error)) => Err(StartError::upstream(&host, &error)),
        Err(_) => Err(StartError::upstream(&host, "looking its name up took longer than 5 s")),
    }
}

fn tls(
    host: &str,
    authorities: &[CertificateDer<'static>],
) -> Result<(TlsConnector, ServerName<'static>), StartError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| StartError::upstream(&host, &error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StartError::upstream(&host, &error))?;
    let builder = if authorities.is_empty() {
        hyper_rustls::ConfigBuilderExt::with_native_roots(builder)
            .map_err(|error| StartError::upstream(&host, &error))?
    } else {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority.clone()).map_err(|error| StartError::upstream(&host, &error))?;
        }
        builder.with_root_certificates(roots)
    };
    Ok((TlsConnector::from(Arc::new(builder.with_no_client_auth())), name))
}
