//! Whom a ban is for.

use std::{fmt, net::IpAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::rules::place::{Asn, Country, Places, Systems};

/// Whom a ban is for. Ordered and written as it is shown: networks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub enum Whom {
    /// A network, without host bits; IPv4-mapped networks are IPv4.
    Network(IpNet),
    /// Every address that the database of places puts into a country.
    Country(Country),
    /// Every address that the database of autonomous systems gives to one.
    Asn(Asn),
}

impl Whom {
    /// Whether it is for this address. What is not known of an address, it is not for.
    pub fn contains(&self, ip: IpAddr, places: &Places, systems: &Systems) -> bool {
        let ip = ip.to_canonical();
        match self {
            Self::Network(network) => network.contains(&ip),
            Self::Country(country) => places.country_code(ip) == Some(*country),
            Self::Asn(asn) => systems.asn(ip) == Some(*asn),
        }
    }

    /// The network, if it is one.
    pub const fn network(&self) -> Option<IpNet> {
        match self {
            Self::Network(network) => Some(*network),
            Self::Country(_) | Self::Asn(_) => None,
        }
    }

    /// The country, if it is one.
    pub const fn country(&self) -> Option<Country> {
        match self {
            Self::Country(country) => Some(*country),
            Self::Network(_) | Self::Asn(_) => None,
        }
    }

    /// The autonomous system, if it is one.
    pub const fn asn(&self) -> Option<Asn> {
        match self {
            Self::Asn(asn) => Some(*asn),
            Self::Network(_) | Self::Country(_) => None,
        }
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Country(country) => write!(f, "country:{country}"),
            Self::Asn(Asn(number)) => write!(f, "asn:{number}"),
        }
    }
}

impl From<IpNet> for Whom {
    fn from(network: IpNet) -> Self {
        Self::Network(network)
    }
}

/// Which databases there are to find somebody by country or autonomous system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Of countries.
    pub places: bool,
    /// Of autonomous systems.
    pub systems: bool,
}

impl Sight {
    /// Whether a ban can reach anybody.
    pub const fn reaches(self, whom: &Whom) -> bool {
        match whom {
            Whom::Network(_) => true,
            Whom::Country(_) => self.places,
            Whom::Asn(_) => self.systems,
        }
    }
}

/// As it is kept. The first two are the bytes that a network had when there were bans of networks alone.
#[derive(Serialize, Deserialize)]
enum Kept {
    V4(Ipv4Net),
    V6(Ipv6Net),
    Country(Country),
    Asn(Asn),
}

impl From<Kept> for Whom {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::V4(net) => Self::Network(IpNet::V4(net)),
            Kept::V6(net) => Self::Network(IpNet::V6(net)),
            Kept::Country(country) => Self::Country(country),
            Kept::Asn(asn) => Self::Asn(asn),
        }
    }
}

impl From<Whom> for Kept {
    fn from(whom: Whom) -> Self {
        match whom {
            Whom::Network(IpNet::V4(net)) => Self::V4(net),
            Whom::Network(IpNet::V6(net)) => Self::V6(net),
            Whom::Country(country) => Self::Country(country),
            Whom::Asn(asn) => Self::Asn(asn),
        }
    }
}
