//! The walk over the hops that proxies forwarded, from the nearest to the farthest (R1, R17).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{AddrSource, ClientAddr, TrustedProxies};

const MAX_HOPS: usize = 32;

/// The client of a request from `peer`: the peer itself unless it is trusted, otherwise the rightmost untrusted hop.
///
/// `forwarded` holds the values of the forwarding header in the order of their lines, each a comma-separated list.
pub fn walk(peer: IpAddr, forwarded: &[&[u8]], trusted: &TrustedProxies) -> ClientAddr {
    if trusted.contains(peer) {
        walk_beyond(peer, forwarded, trusted)
    } else {
        ClientAddr { ip: peer.to_canonical(), from: AddrSource::Peer }
    }
}

/// [`walk`] for a peer that is trusted for another reason than its address: a socket, a secret, a certificate.
///
/// A hop that is not an address (`unknown`, `_hidden`, empty) stops the walk at the hop to its right, and so does the
/// 33rd hop. If every hop is trusted, the farthest one is the client.
pub fn walk_beyond(peer: IpAddr, forwarded: &[&[u8]], trusted: &TrustedProxies) -> ClientAddr {
    let mut last = ClientAddr { ip: peer.to_canonical(), from: AddrSource::Unforwarded };
    let hops = forwarded.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
    for (index, hop) in hops.enumerate() {
        match hop_address(hop).filter(|_| index < MAX_HOPS) {
            None => return ClientAddr { from: AddrSource::Stopped, ..last },
            Some(ip) => last = ClientAddr { ip, from: AddrSource::Forwarded },
        }
        if !trusted.contains(last.ip) {
            break;
        }
    }
    last
}

/// `192.0.2.1`, `192.0.2.1:5000`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:5000`; no names, no zones.
pub(in crate::rules) fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim_matches([' ', '\t']);
    let ip = if let Some(literal) = text.strip_prefix('[') {
        let (inner, port) = literal.split_once(']')?;
        port.is_empty().then_some(()).or_else(|| port.strip_prefix(':').and_then(parse_port))?;
        IpAddr::V6(inner.parse::<Ipv6Addr>().ok()?)
    } else if let Some((v4, port)) = text.split_once(':') {
        if let Ok(v6) = text.parse::<Ipv6Addr>() {
            IpAddr::V6(v6)
        } else {
            parse_port(port)?;
            IpAddr::V4(v4.parse::<Ipv4Addr>().ok()?)
        }
    } else {
        IpAddr::V4(text.parse::<Ipv4Addr>().ok()?)
    };
    Some(ip.to_canonical())
}

fn parse_port(text: &str) -> Option<()> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<u16>().ok().filter(|_| digits).map(drop)
}
