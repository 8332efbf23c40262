//! All circumstances, as classes: two of a class meet the same conditions of both policies.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};
use serde::{Serialize, Serializer};

use super::super::Conditions;
use crate::rules::place::Country;

/// Some of all addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// In these networks.
    pub networks: Vec<IpNet>,
    /// Where it is not certain what the address is.
    pub uncertain: bool,
}

/// Some of all countries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Countries {
    /// These.
    pub named: BTreeSet<Country>,
    /// All that are not among these, as well.
    pub all_but: Option<BTreeSet<Country>>,
    /// Where the country is not known.
    pub unknown: bool,
}

impl Addresses {
    /// Whether an address is one of them.
    pub fn contain(&self, client: Option<IpAddr>) -> bool {
        client.map_or(self.uncertain, |ip| self.networks.iter().any(|net| net.contains(&ip.to_canonical())))
    }

    pub(super) fn join(all: impl Iterator<Item = Self>) -> Self {
        let mut joined = Self::default();
        for one in all {
            joined.networks.extend(one.networks);
            joined.uncertain |= one.uncertain;
        }
        joined.networks = IpNet::aggregate(&joined.networks);
        joined
    }
}

impl Countries {
    /// Whether a country is one of them.
    pub fn contain(&self, country: Option<Country>) -> bool {
        let Some(country) = country else { return self.unknown };
        self.named.contains(&country) || self.all_but.as_ref().is_some_and(|but| !but.contains(&country))
    }

    pub(super) fn join(all: impl Iterator<Item = Self>) -> Self {
        let mut joined = Self::default();
        for one in all {
            joined.named.extend(one.named);
            joined.all_but = joined.all_but.or(one.all_but);
            joined.unknown |= one.unknown;
        }
        joined
    }
}

/// The classes of addresses, each with one of them.
pub(super) fn addresses(conditions: &[&Conditions]) -> Vec<(Addresses, Option<IpAddr>)> {
    let sets: Vec<&Vec<IpNet>> = conditions.iter().filter_map(|when| when.networks.as_ref()).collect();
    if sets.is_empty() {
        return vec![(Addresses { networks: everywhere(), uncertain: true }, None)];
    }
    let mut classes: BTreeMap<Vec<bool>, (Addresses, Option<IpAddr>)> = BTreeMap::new();
    for (first, last) in spans(&sets) {
        let within = sets.iter().map(|set| set.iter().any(|net| net.contains(&first))).collect();
        let class = classes.entry(within).or_insert_with(|| (Addresses::default(), Some(first)));
        class.0.networks.extend(subnets(first, last));
    }
    // What is not certain is in no network.
    classes.entry(vec![false; sets.len()]).or_default().0.uncertain = true;
    let tidy = |(class, witness): (Addresses, _)| (Addresses::join(std::iter::once(class)), witness);
    classes.into_values().map(tidy).collect()
}

/// Between two neighbouring edges of networks, all addresses are alike.
fn spans(sets: &[&Vec<IpNet>]) -> Vec<(IpAddr, IpAddr)> {
    let mut v4: BTreeSet<u32> = BTreeSet::from([0]);
    // Addresses of IPv4 within IPv6 are folded before anybody asks about them.
    let (folded, beyond) = (0xffff_0000_0000_u128, 0x1_0000_0000_0000_u128);
    let mut v6: BTreeSet<u128> = BTreeSet::from([0, folded, beyond]);
    for net in sets.iter().copied().flatten() {
        match net {
            IpNet::V4(net) => {
                v4.insert(net.network().to_bits());
                v4.extend(net.broadcast().to_bits().checked_add(1));
            }
            IpNet::V6(net) => {
                v6.insert(net.network().to_bits());
                v6.extend(net.broadcast().to_bits().checked_add(1));
            }
        }
    }
    let v4: Vec<u32> = v4.into_iter().collect();
    let v6: Vec<u128> = v6.into_iter().collect();
    let low = v4.iter().enumerate().map(|(index, first)| {
        let last = v4.get(index + 1).map_or(u32::MAX, |next| next - 1);
        (Ipv4Addr::from_bits(*first).into(), Ipv4Addr::from_bits(last).into())
    });
    let high = v6.iter().enumerate().filter(|(_, first)| !(folded..beyond).contains(*first)).map(
        |(index, first)| {
            let last = v6.get(index + 1).map_or(u128::MAX, |next| next - 1);
            (Ipv6Addr::from_bits(*first).into(), Ipv6Addr::from_bits(last).into())
        },
    );
    low.chain(high).collect()
}

fn subnets(first: IpAddr, last: IpAddr) -> Vec<IpNet> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => IpSubnets::V4(Ipv4Subnets::new(first, last, 0)).collect(),
        (IpAddr::V6(first), IpAddr::V6(last)) => IpSubnets::V6(Ipv6Subnets::new(first, last, 0)).collect(),
        _ => Vec::new(),
    }
}

fn everywhere() -> Vec<IpNet> {
    [IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)]
        .into_iter()
        .filter_map(|address| IpNet::new(address, 0).ok())
        .collect()
}

/// The classes of countries, each with one of them.
pub(super) fn countries(conditions: &[&Conditions]) -> Vec<(Countries, Option<Country>)> {
    let sets: Vec<&Vec<Country>> = conditions.iter().filter_map(|when| when.countries.as_ref()).collect();
    let named: BTreeSet<Country> = sets.iter().copied().flatten().copied().collect();
    let mut classes: BTreeMap<Vec<bool>, (Countries, Option<Country>)> = BTreeMap::new();
    for country in &named {
        let within = sets.iter().map(|set| set.contains(country)).collect();
        let class = classes.entry(within).or_insert_with(|| (Countries::default(), Some(*country)));
        class.0.named.insert(*country);
    }
    let others = classes.entry(vec![false; sets.len()]).or_default();
    others.0.unknown = true;
    others.0.all_but = Some(named);
    classes.into_values().collect()
}

impl Serialize for Addresses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let uncertain = self.uncertain.then(|| "uncertain".to_owned());
        serializer.collect_seq(self.networks.iter().map(ToString::to_string).chain(uncertain))
    }
}

impl std::fmt::Display for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 6;
        let mut words: Vec<String> = self.networks.iter().take(SHOWN).map(ToString::to_string).collect();
        if self.networks.len() > SHOWN {
            words.push(format!("{} more networks", self.networks.len() - SHOWN));
        }
        if self.uncertain {
            words.push("addresses that are not certain".to_owned());
        }
        write!(f, "from {}", words.join(", "))
    }
}

impl Serialize for Countries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::fmt::Display for Countries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |countries: &mut dyn Iterator<Item = &Country>| {
            countries.map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let but = self.all_but.as_ref().map(|but| list(&mut but.difference(&self.named)));
        let words = match but {
            Some(but) if but.is_empty() => "in every country".to_owned(),
            Some(but) => format!("in every country but {but}"),
            None if self.named.is_empty() => "in no country that is known".to_owned(),
            None => format!("in {}", list(&mut self.named.iter())),
        };
        f.write_str(&words)?;
        f.write_str(if self.unknown && !self.named.is_empty() | self.all_but.is_some() {
            " or an unknown one"
        } else {
            ""
        })
    }
}
