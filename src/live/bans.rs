//! Bans in memory: one look-up per prefix length that is in use.

#[cfg(test)]
mod tests;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use dashmap::DashMap;
use ipnet::IpNet;

use crate::{clock::Wall, rules::ban::Ban};

/// Prefix lengths of IPv4 and of IPv6: 0 to 32, then 0 to 128.
const LENGTHS: usize = 33 + 129;

/// Bans in memory.
pub struct Bans {
    by_network: DashMap<IpNet, Arc<Ban>>,
    /// How many bans there are of each prefix length, so that the others cost nothing.
    lengths: [AtomicUsize; LENGTHS],
    /// Connections and requests that were turned away.
    turned_away: AtomicU64,
}

impl Default for Bans {
    fn default() -> Self {
        Self {
            by_network: DashMap::new(),
            lengths: std::array::from_fn(|_| AtomicUsize::new(0)),
            turned_away: AtomicU64::new(0),
        }
    }
}

impl Bans {
    /// The ban that counts for an address at `now`; of several, that of the widest network.
    pub fn find(&self, ip: IpAddr, now: Wall) -> Option<Arc<Ban>> {
        if self.by_network.is_empty() {
            return None;
        }
        let ip = ip.to_canonical();
        let longest = if ip.is_ipv4() { 32 } else { 128 };
        let used = (0..=longest).filter(|length| self.has_length(ip.is_ipv4(), *length));
        used.filter_map(|length| IpNet::new(ip, length).ok())
            .filter_map(|network| self.by_network.get(&network.trunc()).map(|ban| Arc::clone(&ban)))
            .find(|ban| ban.counts(now))
    }

    /// All bans, by network, those that are over included.
    pub fn all(&self) -> Vec<Arc<Ban>> {
        let mut all: Vec<_> = self.by_network.iter().map(|entry| Arc::clone(entry.value())).collect();
        all.sort_by_key(|ban| ban.network);
        all
    }

    /// How many count at `now`.
    pub fn counting(&self, now: Wall) -> usize {
        self.by_network.iter().filter(|entry| entry.value().counts(now)).count()
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
        let gone: Vec<IpNet> = self.by_network.iter().map(|entry| *entry.key()).collect();
        for network in gone.iter().filter(|network| !bans.iter().any(|ban| ban.network == **network)) {
            self.remove(network);
        }
        for ban in bans {
            self.put(Arc::new(ban));
        }
    }

    pub(super) fn put(&self, ban: Arc<Ban>) {
        let network = ban.network;
        if self.by_network.insert(network, ban).is_none()
            && let Some(count) = self.lengths.get(slot(network.addr().is_ipv4(), network.prefix_len()))
        {
            count.fetch_add(1, Ordering::Release);
        }
    }

    pub(super) fn remove(&self, network: &IpNet) {
        if self.by_network.remove(network).is_some()
            && let Some(count) = self.lengths.get(slot(network.addr().is_ipv4(), network.prefix_len()))
        {
            count.fetch_sub(1, Ordering::Release);
        }
    }

    fn has_length(&self, v4: bool, length: u8) -> bool {
        self.lengths.get(slot(v4, length)).is_some_and(|count| count.load(Ordering::Acquire) > 0)
    }
}

fn slot(v4: bool, length: u8) -> usize {
    usize::from(length) + if v4 { 0 } else { 33 }
}
