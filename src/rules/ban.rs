//! Bans: networks that nobody is served from, and the addresses that no ban ever reaches.

#[cfg(test)]
mod tests;

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::address::{NetworkKey, TrustedProxies, fold_net};
use crate::clock::Wall;

/// How long a ban that is over is still shown.
pub const SHOWN_AFTER: Duration = Duration::from_secs(86_400);

/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 200;

/// The widest networks that can be banned: beyond that a typing mistake shuts everybody out.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 19;

/// A network that nobody is served from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// The network, without host bits; IPv4-mapped networks are written as IPv4. There is one ban for a network.
    pub network: IpNet,
    /// For people.
    pub reason: String,
    /// Who banned it: an account name, or `uid 0` for the command line.
    pub by: String,
    /// From when.
    pub since: Wall,
    /// Until when; `None`: until it is lifted.
    pub until: Option<Wall>,
}

impl Ban {
    /// Whether it counts at `now`.
    pub fn counts(&self, now: Wall) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Whether it has been over for so long that it need not be shown any more.
    pub fn is_forgotten(&self, now: Wall) -> bool {
        self.until.is_some_and(|until| now >= until.plus(SHOWN_AFTER))
    }
}

/// Why something cannot be banned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbannable {
    /// Not an address and not a network.
    #[error("`{0}` is neither an address nor a network such as 203.0.113.0/24")]
    Unreadable(String),
    /// So many addresses that it is a mistake.
    #[error(
        "{0} is too wide: at most a /{WIDEST_V4} of IPv4 and a /{WIDEST_V6} of IPv6 can be banned; for more, close the port in the firewall"
    )]
    TooWide(IpNet),
    /// It would shut out a proxy, the machine itself, or what the configuration always lets in.
    #[error("{network} cannot be banned: {within} is {by}")]
    Spared {
        /// What was asked for.
        network: IpNet,
        /// The network that spares it.
        within: IpNet,
        /// What that is.
        by: SparedBy,
    },
    /// The reason is unfit.
    #[error("the reason is one line of at most {LONGEST_REASON} characters")]
    Reason,
}

/// What spares a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SparedBy {
    /// It is the machine's own.
    Own,
    /// It is a proxy or load balancer that is believed.
    Proxy,
    /// `bans.allow`.
    Allowed,
}

impl std::fmt::Display for SparedBy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Own => "this machine itself",
            Self::Proxy => "a proxy that the configuration trusts",
            Self::Allowed => "in `bans.allow`",
        })
    }
}

/// What a person wrote as a network. A single IPv6 address stands for its /64, since that is what one client has (R16).
///
/// # Errors
/// If it is none, or too wide.
pub fn parse(text: &str) -> Result<IpNet, Unbannable> {
    let text = text.trim();
    let network = match (text.parse::<IpAddr>(), text.parse::<IpNet>()) {
        (Ok(address), _) => NetworkKey::of(address).0,
        (_, Ok(network)) => fold_net(network.trunc()),
        _ => return Err(Unbannable::Unreadable(text.chars().take(60).collect())),
    };
    let widest = if network.addr().is_ipv4() { WIDEST_V4 } else { WIDEST_V6 };
    if network.prefix_len() < widest { Err(Unbannable::TooWide(network)) } else { Ok(network) }
}

/// A reason as it is kept.
///
/// # Errors
/// If it is too long or has control characters.
pub fn reason(text: &str) -> Result<String, Unbannable> {
    let text = text.trim();
    if text.chars().count() > LONGEST_REASON || text.chars().any(char::is_control) {
        return Err(Unbannable::Reason);
    }
    Ok(text.to_owned())
}

/// Who can never be banned: proxies and load balancers that are believed, the machine itself, and what the operator
/// always lets in (`bans.allow`). They win over every ban.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spared {
    /// Peers whose forwarded headers or PROXY protocol headers are believed.
    pub proxies: TrustedProxies,
    /// `bans.allow`.
    pub allow: TrustedProxies,
}

impl Spared {
    /// Whether no ban reaches this address.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        own().iter().any(|net| net.contains(&ip)) || self.allow.contains(ip) || self.proxies.contains(ip)
    }

    /// What a person wrote as a network that can be banned, with the networks inside it that stay open all the same.
    ///
    /// # Errors
    /// If it is none, or too wide, or nothing of it can be banned. An address that is spared cannot be, although the rest
    /// of its /64 could.
    pub fn wish(&self, text: &str) -> Result<(IpNet, Vec<IpNet>), Unbannable> {
        let network = parse(text)?;
        if let Ok(address) = text.trim().parse::<IpAddr>() {
            self.check(IpNet::from(address.to_canonical()))?;
        }
        Ok((network, self.check(network)?))
    }

    /// Whether a network can be banned; the networks inside it that stay open all the same.
    ///
    /// # Errors
    /// If all of it is spared, so that the ban would do nothing.
    pub fn check(&self, network: IpNet) -> Result<Vec<IpNet>, Unbannable> {
        let own = own();
        let sources: [(&[IpNet], SparedBy); 3] =
            [(&own, SparedBy::Own), (&self.proxies.0, SparedBy::Proxy), (&self.allow.0, SparedBy::Allowed)];
        let mut inside = Vec::new();
        for (networks, by) in sources {
            for within in networks.iter().map(|net| fold_net(net.trunc())) {
                if within.contains(&network) {
                    return Err(Unbannable::Spared { network, within, by });
                }
                if network.contains(&within) {
                    inside.push(within);
                }
            }
        }
        inside.sort();
        inside.dedup();
        Ok(inside)
    }
}

/// The addresses that this machine's own programs come from.
fn own() -> [IpNet; 2] {
    use std::net::{Ipv4Addr, Ipv6Addr};
    [IpNet::from(IpAddr::V4(Ipv4Addr::LOCALHOST)), IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST))]
}
