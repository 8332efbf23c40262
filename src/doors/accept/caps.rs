//! How many connections there may be: in all, and from one network (R25).

use std::{net::IpAddr, sync::Arc};

use dashmap::{DashMap, mapref::entry::Entry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::rules::address::NetworkKey;

/// The counters.
pub(super) struct Caps {
    all: Arc<Semaphore>,
    per_network: usize,
    networks: Arc<DashMap<NetworkKey, usize>>,
}

impl Caps {
    pub(super) fn new(all: usize, per_network: usize) -> Self {
        let all = Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS)));
        Self { all, per_network, networks: Arc::default() }
    }

    /// A place among all connections; `None` when there is none left.
    pub(super) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).try_acquire_owned().ok()
    }

    /// A place among the connections of a network; `None` when there is none left.
    pub(super) fn admit(&self, client: IpAddr, place: OwnedSemaphorePermit) -> Option<Permits> {
        let network = NetworkKey::of(client);
        let mut count = self.networks.entry(network).or_insert(0);
        if *count >= self.per_network {
            return None;
        }
        *count += 1;
        Some(Permits { network, networks: Arc::clone(&self.networks), _place: place })
    }
}

/// The places of one connection.
pub(super) struct Permits {
    network: NetworkKey,
    networks: Arc<DashMap<NetworkKey, usize>>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Permits {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.networks.entry(self.network) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}
