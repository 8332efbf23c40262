//! Whose request it is: trusted proxies and the walk over what they forwarded (R1, R17), and the PROXY protocol.

use std::net::IpAddr;

use ipnet::IpNet;

/// The client's address after the trusted walk; IPv4-mapped addresses are folded to IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddr {
    /// The address.
    pub ip: IpAddr,
    /// How it was found.
    pub from: AddrSource,
}

/// How the client's address was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddrSource {
    /// The TCP peer itself.
    Peer,
    /// The rightmost untrusted hop that a trusted proxy forwarded.
    Forwarded,
    /// A PROXY protocol header of a listed peer.
    ProxyProtocol,
    /// A forwarded hop was malformed, so the walk stopped at the last good one.
    Stopped,
}

/// The networks whose forwarded headers are believed. Empty means nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(pub Vec<IpNet>);

/// A key for limits and bans: /32 for IPv4, /64 for IPv6 (R16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetworkKey(pub IpNet);
