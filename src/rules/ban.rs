//! Bans: networks, countries and autonomous systems that nobody is served from, and the addresses that no ban ever
//! reaches.

#[cfg(test)]
mod tests;
mod whom;

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::whom::{Sight, Whom};
use super::{
    address::{NetworkKey, TrustedProxies, fold_net},
    place::{Asn, Country},
};
use crate::clock::Wall;

/// How long a ban that is over is still shown.
pub const SHOWN_AFTER: Duration = Duration::from_secs(86_400);

/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 200;

/// The widest networks that can be banned: beyond that a typing mistake shuts everybody out.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 19;

/// Whom nobody serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Whom it is for. There is one ban for each.
    pub whom: Whom,
    /// For people.
    pub reason: String,
    /// Who banned it: an account name, `uid 0` for the command line, `list NAME` for a list that was imported.
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

    /// Whether it lasts at least as long as another one.
    pub fn outlasts(&self, other: &Self) -> bool {
        self.until.is_none_or(|until| other.until.is_some_and(|theirs| until >= theirs))
    }

    /// Whether a list made it.
    pub fn is_of_list(&self) -> bool {
        self.by.starts_with(LIST)
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
    #[error(
        "`{0}` is neither an address nor a network such as 203.0.113.0/24, and no `country:DE` or `asn:64500` either"
    )]
    Unreadable(String),
    /// Not a country.
    #[error("`{text}` is no country: {hint}")]
    Country {
        /// What was written.
        text: String,
        /// How it may be mended.
        hint: String,
    },
    /// Not the number of an autonomous system.
    #[error("`{0}` is no number of an autonomous system: write it like `asn:64500`")]
    Asn(String),
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

/// What a person wrote as whom to ban: an address, a network, `country:DE` or `asn:64500`. A single IPv6 address stands
/// for its /64, since that is what one client has (R16).
///
/// # Errors
/// If it is none of them, or too wide.
pub fn parse(text: &str) -> Result<Whom, Unbannable> {
    let text = text.trim();
    let shown = || text.chars().take(60).collect::<String>();
    if let Some((scope, value)) = text.split_once(':') {
        let value = value.trim();
        if scope.eq_ignore_ascii_case("country") {
            let country = Country::parse(&value.to_ascii_uppercase());
            return country.map(Whom::Country).ok_or_else(|| Unbannable::Country {
                text: shown(),
                hint: Country::hint(&value.chars().take(20).collect::<String>()),
            });
        }
        if scope.eq_ignore_ascii_case("asn") || scope.eq_ignore_ascii_case("as") {
            return Asn::parse(value).map(Whom::Asn).ok_or_else(|| Unbannable::Asn(shown()));
        }
    }
    network(text).map(Whom::Network)
}

fn network(text: &str) -> Result<IpNet, Unbannable> {
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

/// What stands before the name of a list in [`Ban::by`]; no account has a name with a space.
const LIST: &str = "list ";
/// The longest name of a list, in characters.
const LONGEST_NAME: usize = 40;

/// The name of a list is unfit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be the name of a list: it has at most {LONGEST_NAME} letters, digits and . - _")]
pub struct BadListName(String);

/// Who bans, for a list of this name.
///
/// # Errors
/// If the name is unfit.
pub fn list_name(name: &str) -> Result<String, BadListName> {
    let fit = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if name.is_empty() || name.chars().count() > LONGEST_NAME || !name.chars().all(fit) {
        return Err(BadListName(name.chars().take(60).collect()));
    }
    Ok(format!("{LIST}{name}"))
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

    /// What a person wrote as whom to ban, with the networks inside it that stay open all the same.
    ///
    /// # Errors
    /// If it is none, or too wide, or nothing of it can be banned. An address that is spared cannot be, although the rest
    /// of its /64 could.
    pub fn wish(&self, text: &str) -> Result<(Whom, Vec<IpNet>), Unbannable> {
        let whom = parse(text)?;
        if let Ok(address) = text.trim().parse::<IpAddr>() {
            self.check(IpNet::from(address.to_canonical()))?;
        }
        let spares = match whom {
            Whom::Network(network) => self.check(network)?,
            // Who of them is there is not known: those that are spared stay open wherever they are.
            Whom::Country(_) | Whom::Asn(_) => Vec::new(),
        };
        Ok((whom, spares))
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
