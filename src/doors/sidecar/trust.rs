//! Who may ask (R1). On a hosting machine the other local users are strangers: a loopback port proves nothing.

use std::{net::IpAddr, sync::Arc};

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::ServerConfig;

use crate::secret::{SecretBytes, same};

/// One proxy's shared secret.
#[derive(Clone, Debug)]
pub struct ProxySecret {
    /// For logs.
    pub name: String,
    /// What the proxy must present.
    pub secret: SecretBytes,
}

/// What proxies prove themselves with; it can be replaced while the sidecar runs.
pub struct Vouchers {
    secrets: ArcSwap<Vec<ProxySecret>>,
    tls: Option<ArcSwap<ServerConfig>>,
}

impl Vouchers {
    /// The secrets, and TLS for a listener that demands client certificates.
    pub fn new(secrets: Vec<ProxySecret>, tls: Option<Arc<ServerConfig>>) -> Self {
        Self { secrets: ArcSwap::from_pointee(secrets), tls: tls.map(ArcSwap::new) }
    }

    /// Other ones, from the next request or connection on. A listener without TLS stays one.
    pub fn replace(&self, secrets: Vec<ProxySecret>, tls: Option<Arc<ServerConfig>>) {
        self.secrets.store(Arc::new(secrets));
        if let (Some(current), Some(tls)) = (&self.tls, tls) {
            current.store(tls);
        }
    }

    pub(super) fn secrets(&self) -> Arc<Vec<ProxySecret>> {
        self.secrets.load_full()
    }

    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.as_ref().map(ArcSwap::load_full)
    }
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
pub(super) const SECRET: HeaderName = HeaderName::from_static("x-gate-proxy-secret");

impl Channel {
    /// The peer's address; a socket's peer is this machine.
    pub(super) fn peer(self) -> IpAddr {
        match self {
            Self::Tcp(peer) | Self::Certificate(peer) => peer,
            Self::Unix => IpAddr::from([127, 0, 0, 1]),
        }
    }

    /// What speaks for the peer beside its address. A secret that is presented must be right, whoever presents it.
    pub(super) fn standing(self, headers: &HeaderMap, secrets: &[ProxySecret]) -> Standing {
        let mut presented = headers.get_all(&SECRET).iter();
        let known =
            |secret: &HeaderValue| secrets.iter().any(|known| same(secret.as_bytes(), known.secret.expose()));
        match (presented.next(), presented.next()) {
            (Some(secret), None) if known(secret) => Standing::Vouched,
            (Some(_), _) => Standing::Refused,
            (None, _) if matches!(self, Self::Unix | Self::Certificate(_)) => Standing::Vouched,
            (None, _) => Standing::Unknown,
        }
    }
}

/// What speaks for a peer beside its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// A socket, a certificate, a secret.
    Vouched,
    /// Nothing; its address may.
    Unknown,
    /// It presented a wrong secret, and no address makes up for that.
    Refused,
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{Channel, ProxySecret, SECRET, Standing};
    use crate::secret::SecretBytes;

    fn secrets() -> Vec<ProxySecret> {
        let secret = |name: &str, secret: &str| ProxySecret {
            name: name.into(),
            secret: SecretBytes::new(secret.as_bytes()),
        };
        vec![secret("nginx", "0123456789abcdef0123456789abcdef"), secret("traefik", "f".repeat(32).as_str())]
    }

    fn presenting(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(SECRET, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn only_a_whole_right_secret_vouches_for_a_peer_on_a_port() {
        let stranger = Channel::Tcp([127, 0, 0, 1].into());
        let right = "0123456789abcdef0123456789abcdef";
        let standing = |values: &[&str]| stranger.standing(&presenting(values), &secrets());
        assert_eq!(standing(&[]), Standing::Unknown, "R1: a loopback port proves nothing");
        assert_eq!(standing(&[right]), Standing::Vouched);
        assert_eq!(standing(&[&"f".repeat(32)]), Standing::Vouched);
        for wrong in
            ["", "0123", right.strip_prefix("0").unwrap(), &format!("{right} "), &right.to_uppercase()]
        {
            assert_eq!(standing(&[wrong]), Standing::Refused, "{wrong:?}");
        }
        assert_eq!(standing(&[right, right]), Standing::Refused, "one that came twice is none");
        let none = stranger.standing(&presenting(&[right]), &[]);
        assert_eq!(none, Standing::Refused, "nothing vouches where no secret is configured");
    }

    #[test]
    fn a_wrong_secret_counts_against_a_peer_that_would_be_trusted_without() {
        for channel in [Channel::Unix, Channel::Certificate([10, 0, 0, 1].into())] {
            assert_eq!(channel.standing(&presenting(&[]), &secrets()), Standing::Vouched);
            assert_eq!(channel.standing(&presenting(&["wrong"]), &secrets()), Standing::Refused);
        }
    }
}
