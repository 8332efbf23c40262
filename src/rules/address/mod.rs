//! Whose request it is: trusted proxies and the walk over what they forwarded (R1, R17), and the PROXY protocol.

pub mod proxy_protocol;
#[cfg(test)]
mod tests;
mod walk;

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

pub(in crate::rules) use self::walk::hop_address;
pub use self::walk::{walk, walk_beyond};

/// The client's address after the trusted walk; IPv4-mapped addresses are folded to IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddr {
    /// The address.
    pub ip: IpAddr,
    /// How it was found.
    pub from: AddrSource,
}

/// How the client's address was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AddrSource {
    /// The TCP peer itself.
    Peer,
    /// The rightmost untrusted hop that a trusted proxy forwarded.
    Forwarded,
    /// A PROXY protocol header of a listed peer.
    ProxyProtocol,
    /// A forwarded hop was malformed, so the walk stopped at the last good one.
    Stopped,
    /// A trusted proxy forwarded nothing: the address is the proxy's own.
    Unforwarded,
}

impl ClientAddr {
    /// The address, if it is certainly the client's: what stands for somebody else is good for counting, and meets no
    /// condition (R17).
    pub fn certain(&self) -> Option<IpAddr> {
        match self.from {
            AddrSource::Peer | AddrSource::Forwarded | AddrSource::ProxyProtocol => Some(self.ip),
            AddrSource::Stopped | AddrSource::Unforwarded => None,
        }
    }
}

/// The networks whose forwarded headers are believed. Empty means nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(pub Vec<IpNet>);

impl TrustedProxies {
    /// Whether an address is in one of the networks. `::ffff:10.0.0.1` and `10.0.0.1` are the same address, and so are
    /// the networks written in either form.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|net| fold_net(*net).contains(&ip))
    }
}

/// What is given to one site (RFC 6177), and the least that the world routes.
const WIDER: u8 = 48;
/// What a /48 is allowed, in networks: a /60, the least that homes are given, may use all of its own.
pub const WIDER_TIMES: u32 = 16;

/// A key for limits and bans: /32 for IPv4, /64 for IPv6 (R16), and the /48 that such a /64 is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NetworkKey(pub IpNet);

impl NetworkKey {
    /// The network that an address is counted in.
    pub fn of(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        let bits = if ip.is_ipv4() { 32 } else { 64 };
        Self(IpNet::new(ip, bits).unwrap_or(IpNet::from(ip)).trunc())
    }

    /// The /48 that a /64 is a part of: who is given one has 65 536 networks. IPv4 pays nothing for it.
    pub fn wider(&self) -> Option<Self> {
        let IpNet::V6(own) = self.0 else { return None };
        let wider = Ipv6Net::new(own.addr(), WIDER).ok().filter(|_| own.prefix_len() > WIDER)?;
        Some(Self(IpNet::V6(wider.trunc())))
    }

    /// Whether it is such a /48.
    pub const fn is_wider(&self) -> bool {
        matches!(self.0, IpNet::V6(own) if own.prefix_len() <= WIDER)
    }
}

/// An IPv4-mapped network in its IPv4 form.
pub(in crate::rules) fn fold_net(net: IpNet) -> IpNet {
    let IpNet::V6(mapped) = net else { return net };
    let bits = mapped.prefix_len().checked_sub(96);
    let v4 = mapped.network().to_ipv4_mapped();
    v4.zip(bits).and_then(|(v4, bits)| Ipv4Net::new(v4, bits).ok()).map_or(net, IpNet::V4)
}
