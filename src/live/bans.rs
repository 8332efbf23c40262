//! Bans in memory: one look-up per prefix length that is in use, and one for the country and the autonomous system while
//! any of those is banned.

#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    hash::Hash,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use dashmap::DashMap;
use ipnet::IpNet;

use crate::{
    clock::Wall,
    rules::{
        ban::{Ban, Whom},
        place::{Asn, Country, Places, Systems},
    },
};

/// Prefix lengths of IPv4 and of IPv6: 0 to 32, then 0 to 128.
const LENGTHS: usize = 33 + 129;

/// Bans in memory.
pub struct Bans {
    by_network: DashMap<IpNet, Arc<Ban>>,
    /// How many bans there are of each prefix length, so that the others cost nothing.
    lengths: [AtomicUsize; LENGTHS],
    by_country: DashMap<Country, Arc<Ban>>,
    by_asn: DashMap<Asn, Arc<Ban>>,
    /// Connections and requests that were turned away.
    turned_away: AtomicU64,
}

impl Default for Bans {
    fn default() -> Self {
        Self {
            by_network: DashMap::new(),
            lengths: std::array::from_fn(|_| AtomicUsize::new(0)),
            by_country: DashMap::new(),
            by_asn: DashMap::new(),
            turned_away: AtomicU64::new(0),
        }
    }
}

impl Bans {
    /// The ban that counts for an address at `now`: of its network, of several the widest; of its country; of its
    /// autonomous system. What is not known of an address is not banned.
    pub fn find(&self, ip: IpAddr, now: Wall, places: &Places, systems: &Systems) -> Option<Arc<Ban>> {
        let ip = ip.to_canonical();
        self.of_network(ip, now)
            .or_else(|| counting(&self.by_country, now, || places.country_code(ip)))
            .or_else(|| counting(&self.by_asn, now, || systems.asn(ip)))
    }

    /// The ban that counts for an address at `now` because of its network.
    fn of_network(&self, ip: IpAddr, now: Wall) -> Option<Arc<Ban>> {
        if self.by_network.is_empty() {
            return None;
        }
        let longest = if ip.is_ipv4() { 32 } else { 128 };
        let used = (0..=longest).filter(|length| self.has_length(ip.is_ipv4(), *length));
        used.filter_map(|length| IpNet::new(ip, length).ok())
            .filter_map(|network| self.by_network.get(&network.trunc()).map(|ban| Arc::clone(&ban)))
            .find(|ban| ban.counts(now))
    }

    /// The ban of exactly this network, country or autonomous system, also one that is over.
    pub fn get(&self, whom: &Whom) -> Option<Arc<Ban>> {
        match whom {
            Whom::Network(network) => self.by_network.get(network).map(|ban| Arc::clone(&ban)),
            Whom::Country(country) => self.by_country.get(country).map(|ban| Arc::clone(&ban)),
            Whom::Asn(asn) => self.by_asn.get(asn).map(|ban| Arc::clone(&ban)),
        }
    }

    /// All bans, those that are over included; networks first.
    pub fn all(&self) -> Vec<Arc<Ban>> {
        let networks = self.by_network.iter().map(|entry| Arc::clone(entry.value()));
        let countries = self.by_country.iter().map(|entry| Arc::clone(entry.value()));
        let systems = self.by_asn.iter().map(|entry| Arc::clone(entry.value()));
        let mut all: Vec<_> = networks.chain(countries).chain(systems).collect();
        all.sort_by_key(|ban| ban.whom);
        all
    }

    /// How many count at `now`.
    pub fn counting(&self, now: Wall) -> usize {
        let networks = self.by_network.iter().filter(|entry| entry.value().counts(now)).count();
        let countries = self.by_country.iter().filter(|entry| entry.value().counts(now)).count();
        networks + countries + self.by_asn.iter().filter(|entry| entry.value().counts(now)).count()
    }

    /// Notes that somebody was turned away.
    pub fn count_turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections and requests were turned away since the start.
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    pub(super) fn load(&self, bans: Vec<Ban>) {
        let stay: HashSet<Whom> = bans.iter().map(|ban| ban.whom).collect();
        for gone in self.all().iter().filter(|ban| !stay.contains(&ban.whom)) {
            self.remove(&gone.whom);
        }
        for ban in bans {
            self.put(Arc::new(ban));
        }
    }

    pub(super) fn put(&self, ban: Arc<Ban>) {
        match ban.whom {
            Whom::Network(network) => {
                if self.by_network.insert(network, ban).is_none()
                    && let Some(count) = self.length(&network)
                {
                    count.fetch_add(1, Ordering::Release);
                }
            }
            Whom::Country(country) => drop(self.by_country.insert(country, ban)),
            Whom::Asn(asn) => drop(self.by_asn.insert(asn, ban)),
        }
    }

    pub(super) fn remove(&self, whom: &Whom) {
        match whom {
            Whom::Network(network) => {
                if self.by_network.remove(network).is_some()
                    && let Some(count) = self.length(network)
                {
                    count.fetch_sub(1, Ordering::Release);
                }
            }
            Whom::Country(country) => drop(self.by_country.remove(country)),
            Whom::Asn(asn) => drop(self.by_asn.remove(asn)),
        }
    }

    fn length(&self, network: &IpNet) -> Option<&AtomicUsize> {
        self.lengths.get(slot(network.addr().is_ipv4(), network.prefix_len()))
    }

    fn has_length(&self, v4: bool, length: u8) -> bool {
        self.lengths.get(slot(v4, length)).is_some_and(|count| count.load(Ordering::Acquire) > 0)
    }
}

/// The ban that counts at `now` under a key, which is looked for only while there are such bans.
fn counting<K: Eq + Hash>(
    bans: &DashMap<K, Arc<Ban>>,
    now: Wall,
    key: impl FnOnce() -> Option<K>,
) -> Option<Arc<Ban>> {
    if bans.is_empty() {
        return None;
    }
    bans.get(&key()?).map(|ban| Arc::clone(&ban)).filter(|ban| ban.counts(now))
}

fn slot(v4: bool, length: u8) -> usize {
    usize::from(length) + if v4 { 0 } else { 33 }
}
