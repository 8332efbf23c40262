//! Who may ask (R1). On a hosting machine the other local users are strangers: a loopback port proves nothing.

use std::net::IpAddr;

use http::HeaderMap;

use crate::secret::{SecretBytes, same};

/// One proxy's shared secret.
#[derive(Clone, Debug)]
pub struct ProxySecret {
    /// For logs.
    pub name: String,
    /// What the proxy must present.
    pub secret: SecretBytes,
}

/// How a connection reached us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// TCP.
    Tcp(IpAddr),
    /// TLS with a client certificate that our CA signed.
    Certificate(IpAddr),
    /// The Unix socket; the peer's user id was checked at accept.
    Unix,
}

/// The header that carries a proxy's secret.
pub(super) const SECRET: &str = "x-gate-proxy-secret";

impl Channel {
    /// The peer's address; a socket's peer is this machine.
    pub(super) fn peer(self) -> IpAddr {
        match self {
            Self::Tcp(peer) | Self::Certificate(peer) => peer,
            Self::Unix => IpAddr::from([127, 0, 0, 1]),
        }
    }

    /// Whether something beside its address vouches for the peer. A secret that is presented must be right, whoever
    /// presents it.
    pub(super) fn vouched(self, headers: &HeaderMap, secrets: &[ProxySecret]) -> bool {
        let mut presented = headers.get_all(SECRET).iter();
        match (presented.next(), presented.next()) {
            (Some(secret), None) => {
                secrets.iter().any(|known| same(secret.as_bytes(), known.secret.expose()))
            }
            (Some(_), Some(_)) => false,
            (None, _) => matches!(self, Self::Unix | Self::Certificate(_)),
        }
    }
}
